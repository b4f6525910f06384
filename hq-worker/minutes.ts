/** The minute tick under Node, where no platform calls it: one after the other, the first at once. */
import type { Clock } from "#ports/clock.ts";
import type { Log } from "#ports/log.ts";

const everyMs = 60_000;
/** Everything in a tick has limits of its own, so that this one tells of a mistake. The next tick does not wait for it. */
const longestMs = 5 * 60_000;

/** Resolves after `stop`, once the tick that runs then has ended. Never rejects. */
export async function everyMinute(tick: () => Promise<void>, { clock, log }: { clock: Clock; log: Log }, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const begun = clock.now();
    const ended = new AbortController();
    const ticking = tick()
      .catch((error: unknown) => log.error("the minute tick failed", { error }))
      .finally(() => ended.abort());
    await Promise.race([ticking, clock.sleep(longestMs, ended.signal)]);
    if (!ended.signal.aborted) log.error("the minute tick hangs; the next one goes on without it", { limitMs: longestMs });
    // Within these bounds, whatever somebody does to the clock.
    await clock.sleep(Math.max(0, Math.min(everyMs, begun + everyMs - clock.now())), stop);
  }
}
