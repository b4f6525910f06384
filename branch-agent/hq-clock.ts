/**
 * The factory lives by headquarters' clock: a desktop's own may be hours off, and what it seals would then be from the future, or
 * have expired. The answer to a heartbeat says what time it is at headquarters, and so does the refusal of an envelope.
 */
import type { Clock } from "#ports/clock.ts";

/** Differences below it are the way of an answer, and leave the clock alone. Milliseconds. */
const unnoticedMs = 5_000;

export interface HqClock extends Clock {
  /** Headquarters said what time it is there, milliseconds since 1970. */
  follow(hqNow: number): void;
}

/** `own` goes as fast, and nobody sets it, but it may show another time. */
export function hqClock(own: Clock): HqClock {
  let ahead = 0;
  return {
    now: () => own.now() + ahead,
    sleep: own.sleep,
    follow(hqNow) {
      const seen = hqNow - own.now();
      if (Math.abs(seen - ahead) > unnoticedMs) ahead = seen;
    },
  };
}
