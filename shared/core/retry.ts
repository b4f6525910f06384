/** Which failed attempts are tried again, and when: a rule over the result's code, the task and the clock. Pure. */

/**
 * Codes of results that say more about the hour than about the task: the model was out of reach or broke off in the middle of a
 * reply; the workspace could not be opened; the sandbox or the worktree failed under the work. Whatever else ends an attempt
 * (given up, regressed, not verified, a limit, a refusal, going round in circles, poison) would end the next one too.
 */
export const retriedCodes: readonly string[] = ["model_unreachable", "model_garbage", "not_started", "broke_off"];

/** The wait doubles from here with every failed attempt, up to the cap. Milliseconds. */
export const backoffBaseMs = 60_000;
export const backoffCapMs = 15 * 60_000;

/**
 * Milliseconds between the failure that made `failed` of them (1 and up) and the next attempt. With d = base × 2^(failed − 1),
 * capped, the wait is in [d/2, d): where in it, task and epoch say, so that tasks that failed together come back apart.
 */
export function backoffMs(task: string, epoch: number, failed: number): number {
  const longest = Math.min(backoffCapMs, backoffBaseMs * 2 ** (failed - 1));
  return Math.floor(longest / 2 + (longest / 2) * fraction(`${task}:${epoch}`));
}

/** When an attempt that failed `now` is followed by another; `failed` counts it. Null: not before the deadline. */
export function retryAt(task: { id: string; epoch: number; failed: number; deadline: number | null }, now: number): number | null {
  const at = now + backoffMs(task.id, task.epoch, task.failed);
  return task.deadline !== null && at >= task.deadline ? null : at;
}

/** A text as a number in [0, 1), the same for the same text (FNV-1a, 32 bits, with a last mixing for short texts). */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}
