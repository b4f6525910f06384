/** What the minute tick mends: leases that ran out, orders never claimed. Time when HQ was not watching never counts. */
import { leaseMs, liveness } from "#core/fleet.ts";
import { advance, leasedStates } from "#core/task.ts";
import type { Factory, RequeueEvent, Task } from "#ports/store.ts";
import { cardEdit } from "./card.ts";
import { ended } from "./ended.ts";
import type { Headquarters } from "./headquarters.ts";

/** An order that nobody claimed in this time is taken back. Desktops that are online claim within seconds. */
const unclaimedMs = 5 * 60_000;
/** A tick later than this after the last one means that HQ itself was away. */
const awayAfterMs = 150_000;
const lastTick = "last_tick";
/** Calls that one lost task takes at most. */
const callsEach = 6;

/** Expired leases → a new attempt, or dead. Does nothing in the first tick after an absence of HQ. */
export async function recoverLost(deps: Headquarters): Promise<void> {
  const { store, clock, log } = deps;
  const now = clock.now();
  const before = Number(await store.get(lastTick));
  await store.set(lastTick, String(now));
  if (before === 0 || now - before > awayAfterMs) {
    log.warn("headquarters was away; leases are given one more round", { awayMs: before === 0 ? null : now - before });
    return;
  }
  const expired = await store.tasks.expired(now, now - unclaimedMs);
  const fleet = expired.some((task) => task.state === "dispatched") ? await store.factories.list() : [];
  for (const task of expired) {
    if (deps.callsLeft() < callsEach) return;
    if (task.state === "dispatched" && (await waitsItsTurn(deps, task, fleet))) continue;
    const why =
      task.state === "dispatched" ? `${task.factory} did not claim it` : `${task.factory} was not heard of for ${leaseMs / 1000} s`;
    await requeue(deps, task, "lose", why, "lost");
  }
}

/** An order that lies ready at a factory whose slots are all taken is not lost: it is the next one. */
async function waitsItsTurn({ store, clock }: Headquarters, { factory: id }: Task, fleet: readonly Factory[]): Promise<boolean> {
  const factory = fleet.find((candidate) => candidate.id === id);
  if (!factory?.facts || liveness(factory, clock.now()) === "offline") return false;
  const running = await store.tasks.list({ factory: factory.id, states: leasedStates, limit: factory.facts.slots });
  return running.length >= factory.facts.slots;
}

/** Starts a new epoch (what the old attempt still says is stale), or buries the task after too many. */
export async function requeue(deps: Headquarters, task: Task, event: RequeueEvent, why: string, code: string): Promise<void> {
  const { store, clock, log } = deps;
  // A cancelled task has nothing to come back for.
  if (task.cancelRequested !== null) {
    const entry = { kind: "cancelled", text: task.cancelRequested, code: "cancelled" };
    if (await store.tasks.move(task.id, task.epoch, "cancel", entry, clock.now())) await ended(deps, task.id);
    return;
  }
  const next = advance(task, event);
  if (!next) return;
  const text =
    next.state === "dead" ? `${why}; given up after ${next.lost} lost and ${next.failed} failed attempts` : `${why}; it is tried again`;
  if (!(await store.tasks.requeue(event, task, next, { kind: code, text, code }, clock.now()))) return;
  log.warn("an attempt was given up", { event, task: task.id, epoch: task.epoch, why, next: next.state });
  if (next.state === "dead") return ended(deps, task.id);
  const requeued = await store.tasks.get(task.id);
  if (requeued) await store.letters.add([cardEdit(deps, requeued, [])], clock.now());
}
