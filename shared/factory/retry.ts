/** A failed attempt is tried again, where the failure was the hour's and not the task's: at most so often, and later each time. */
import type { Result } from "#core/envelope.ts";
import { retriedCodes, retryAt } from "#core/retry.ts";
import { advance, attemptLimits } from "#core/task.ts";
import { cardEdit } from "./card.ts";
import { ended } from "./ended.ts";
import type { Headquarters } from "./headquarters.ts";
import { wait } from "./when.ts";

/** True of a failure of the hour: there may be another attempt. */
export function mayBeRetried({ outcome, code }: Result): boolean {
  return outcome === "failed" && retriedCodes.includes(code);
}

/**
 * Resolves to null where the result led to another attempt, or used up the last one. Else to the result that ends the task: as
 * it came, or with the reason why there is no other attempt.
 */
export async function tryAgain(deps: Headquarters, factory: string, result: Result): Promise<Result | null> {
  const { store, clock, log } = deps;
  if (!mayBeRetried(result)) return result;
  const task = await store.tasks.get(result.task);
  if (!task || task.epoch !== result.epoch || task.factory !== factory || task.cancelRequested !== null) return result;
  const next = advance(task, "retry");
  if (!next) return result;

  const now = clock.now();
  const dead = next.state === "dead";
  const notBefore = dead ? null : retryAt({ ...task, failed: next.failed }, now);
  if (notBefore === null && !dead)
    return { ...result, reason: `${result.reason.slice(0, 1900)}; no time is left before its deadline to try again` };
  const text =
    notBefore === null
      ? `given up after ${next.failed} failed attempts; the last: ${result.reason}`
      : `tried again in ${wait(notBefore - now)} (attempt ${next.failed + 1} of ${attemptLimits.maxFailed}): ${result.reason}`;
  // The owner may have asked for its end meanwhile, or another reader of the bus was faster: settling says which.
  if (!(await store.tasks.retry(task, next, result, { notBefore, text }, now))) return result;
  log.warn("an attempt failed", { task: task.id, epoch: task.epoch, code: result.code, reason: result.reason, next: next.state });
  if (dead) await ended(deps, task.id);
  else await store.letters.add([cardEdit(deps, { ...task, ...next, factory: null, persona: null, notBefore, reason: text }, [])], now);
  return null;
}
