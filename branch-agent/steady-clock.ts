/**
 * This machine's clock as it was when the program began, going on by itself: whoever sets the machine's clock while work runs
 * distorts no wait, no limit and no seal of it.
 */
import { uptime } from "node:os";
import type { Clock } from "#ports/clock.ts";

/** Where the time comes from, milliseconds from any beginning. */
export interface Sources {
  /** Counts evenly while the machine is awake. */
  awake(): number;
  /** Counts on while it sleeps, to 10 ms. */
  sinceBoot(): number;
}

const machine: Sources = {
  awake: () => performance.now(),
  // Node's monotonic clock stands still while a Linux machine sleeps; elsewhere it goes on by itself.
  sinceBoot: () => (process.platform === "linux" ? uptime() * 1000 : performance.now()),
};

/** The two are read one after the other: a difference below it is no sleep. Milliseconds. */
const leastSleepMs = 1000;

/** Begins at what `own` shows, and sleeps as it does. */
export function steadyClock(own: Clock, { awake, sinceBoot }: Sources = machine): Clock {
  const began = { at: own.now(), awake: awake(), sinceBoot: sinceBoot() };
  let asleepMs = 0;
  return {
    now() {
      const awakeMs = awake() - began.awake;
      const sleptMs = sinceBoot() - began.sinceBoot - awakeMs;
      if (sleptMs > asleepMs + leastSleepMs) asleepMs = sleptMs;
      return Math.floor(began.at + awakeMs + asleepMs);
    },
    sleep: own.sleep,
  };
}
