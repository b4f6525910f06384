/** What the minute tick mends: leases that ran out, orders never claimed. Time when HQ was not watching never counts. */
import { leaseMs } from "#core/fleet.ts";
import { advance } from "#core/task.ts";
import type { RequeueEvent, Task } from "#ports/tasks.ts";
import { cardEdit } from "./card.ts";
import type { Drained } from "./drain.ts";
import { ended } from "./ended.ts";
import type { Headquarters } from "./headquarters.ts";

/** Calls that one lost task takes at most. */
const callsEach = 6;
/** And those that are left for what a tick ends with. */
const callsKept = 20;

/**
 * Expired leases → a new attempt, or dead. `drained` is the reading of the bus before it: a factory of which HQ did not read
 * everything may have told the end of what seems lost. Who could not read at all does not call this, and so did not watch.
 */
export async function recoverLost(deps: Headquarters, { at, unread }: Pick<Drained, "at" | "unread">): Promise<void> {
  const { store, clock, log } = deps;
  const awayMs = await store.tasks.watched(at, unread, clock.now());
  if (awayMs !== 0) log.warn("headquarters did not watch; every lease gets another round", { awayMs });
  for (const task of await store.tasks.expired(clock.now(), unread)) {
    if (deps.callsLeft() < callsKept + callsEach) return;
    const why =
      task.state === "dispatched" ? `${task.factory} did not claim it` : `${task.factory} was not heard of for ${leaseMs / 1000} s`;
    await requeue(deps, task, "lose", why, "lost");
  }
}

/**
 * Starts a new epoch (what the old attempt still says is stale), or buries the task after too many. False: the task had moved on
 * since it was looked at.
 */
export async function requeue(deps: Headquarters, task: Task, event: RequeueEvent, why: string, code: string): Promise<boolean> {
  const { store, clock, log } = deps;
  // A cancelled task has nothing to come back for.
  if (task.cancelRequested !== null) {
    const entry = { kind: "cancelled", text: task.cancelRequested, code: "cancelled" };
    if (!(await store.tasks.move(task.id, task.epoch, "cancel", entry, clock.now()))) return false;
    await ended(deps, task.id);
    return true;
  }
  const next = advance(task, event);
  if (!next) return false;
  const text =
    next.state === "dead" ? `${why}; given up after ${next.lost} lost and ${next.failed} failed attempts` : `${why}; it is tried again`;
  if (!(await store.tasks.requeue(event, task, next, { kind: code, text, code }, clock.now()))) return false;
  log.warn("an attempt was given up", { event, task: task.id, epoch: task.epoch, why, next: next.state });
  if (next.state === "dead") {
    await ended(deps, task.id);
    return true;
  }
  const requeued = await store.tasks.get(task.id);
  if (requeued) await store.letters.add([cardEdit(deps, requeued, [])], clock.now());
  return true;
}
