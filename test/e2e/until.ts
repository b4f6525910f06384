/** Waiting for something to become so, with a limit. */
import { setTimeout as sleep } from "node:timers/promises";

const everyMs = 100;

/** Resolves with the first answer of `ask` that is neither null, undefined nor false; rejects after `withinMs` with what was awaited. */
export async function until<T>(what: string, ask: () => Promise<T> | T, withinMs = 30_000): Promise<NonNullable<Exclude<T, false>>> {
  const end = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer as NonNullable<Exclude<T, false>>;
    if (performance.now() > end) throw new Error(`Waited ${withinMs / 1000} s in vain: ${what}`);
    await sleep(everyMs);
  }
}
