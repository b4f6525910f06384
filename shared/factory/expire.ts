/** The owner's time-to-live: what has not begun by its deadline ends, and says so. Nothing else ever expires. */
import type { Task } from "#ports/tasks.ts";
import { ended } from "./ended.ts";
import type { Headquarters } from "./headquarters.ts";
import { moment } from "./when.ts";

/** So many in one tick; the next goes on. */
const perTick = 20;
const callsEach = 8;
/** And those that are left for what a tick ends with. */
const callsKept = 16;

export async function expireOverdue(deps: Headquarters): Promise<void> {
  const { store, clock } = deps;
  for (const task of await store.tasks.overdue(clock.now(), perTick)) {
    if (deps.callsLeft() < callsKept + callsEach) return;
    const entry = { kind: "expired", text: reasonOf(task), code: "deadline" };
    if (await store.tasks.move(task.id, task.epoch, "expire", entry, clock.now())) await ended(deps, task.id);
  }
}

function reasonOf({ deadline, epoch, reason }: Task): string {
  const when = deadline === null ? "its deadline" : moment(deadline);
  const before = reason === "" ? "" : ` Before: ${reason}`;
  return epoch === 1
    ? `It had not begun by ${when}, so it was not begun at all.${before}`
    : `Its last attempt was over and no other had begun by ${when}.${before}`;
}
