import type { Clock } from "#ports/clock.ts";

/** Timers take at most 2^31 - 1 ms and fire at once beyond it. */
const longestMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(Math.max(ms, 0), longestMs));
      signal?.addEventListener("abort", end, { once: true });
    }),
};
