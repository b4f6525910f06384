/** A clock that moves only when told: for tests. */
import type { Clock } from "#ports/clock.ts";

export interface ManualClock extends Clock {
  /** Moves time on and wakes whoever slept until then, in order, letting each run before the next. */
  advance(ms: number): Promise<void>;
  /** How many sleep now. */
  sleepers(): number;
}

/** `start` is milliseconds since 1970. */
export function manualClock(start: number): ManualClock {
  let now = start;
  let sleeping: { at: number; wake: () => void }[] = [];

  return {
    now: () => now,
    sleepers: () => sleeping.length,

    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted || ms <= 0) return resolve();
        const sleeper = { at: now + ms, wake: resolve };
        sleeping.push(sleeper);
        signal?.addEventListener(
          "abort",
          () => {
            sleeping = sleeping.filter((other) => other !== sleeper);
            resolve();
          },
          { once: true },
        );
      }),

    async advance(ms) {
      const until = now + ms;
      await settle();
      for (;;) {
        const next = sleeping.filter((sleeper) => sleeper.at <= until).toSorted((a, b) => a.at - b.at)[0];
        if (!next) break;
        sleeping = sleeping.filter((sleeper) => sleeper !== next);
        now = next.at;
        next.wake();
        await settle();
      }
      now = until;
    },
  };
}

/** Lets everything that can run without I/O run. */
function settle() {
  return new Promise<void>((resolve) => setTimeout(resolve, 0));
}
