/** Stops a task: at once where no factory holds it, else by telling the factory on the bus and by heartbeat. */

import type { Control } from "#core/control.ts";
import { UacError } from "#core/errors.ts";
import { ordersKept } from "#core/fleet.ts";
import { isTerminal, type TaskState } from "#core/task.ts";
import type { Task } from "#ports/store.ts";
import { closeMoot } from "./ask-owner.ts";
import { cardEdit } from "./card.ts";
import { ended } from "./ended.ts";
import type { Headquarters } from "./headquarters.ts";
import { seal } from "./seal.ts";

export type CancelOutcome = "unknown" | "over" | "cancelled" | "requested";

/** States in which nobody works on it. */
const idle: readonly TaskState[] = ["queued", "held", "waiting", "dispatched"];
/** A task can move on between the look and the step: then it is looked at again. */
const looks = 5;

/** `requested`: the factory was told; its result ends the task, or the end of its lease. Throws `conflict` if the task never stands still. */
export async function cancelTask(deps: Headquarters, id: string, reason: string): Promise<CancelOutcome> {
  const { store, clock } = deps;
  for (let look = 0; look < looks; look += 1) {
    const task = await store.tasks.get(id);
    if (!task) return "unknown";
    if (isTerminal(task.state)) return "over";
    if (idle.includes(task.state)) {
      const entry = { kind: "cancelled", text: reason, code: "cancelled" };
      if (!(await store.tasks.move(id, task.epoch, "cancel", entry, clock.now()))) continue;
      await ended(deps, id);
      if (task.state === "held") await closeMoot(deps, { ...task, state: "cancelled", reason });
      return "cancelled";
    }
    if (!(await store.tasks.requestCancel(id, reason, clock.now()))) continue;
    await tellFactory(deps, task, reason);
    await store.letters.add([cardEdit(deps, { ...task, cancelRequested: reason }, [])], clock.now());
    return "requested";
  }
  throw new UacError("conflict", `Task ${id} changes too fast to be cancelled; try again`);
}

/** The heartbeat's reply carries it too, within half a minute. */
async function tellFactory(deps: Headquarters, { id, epoch, factory }: Task, reason: string) {
  if (!factory) return;
  try {
    const control: Control = { id: deps.ids.next("ctl"), do: "cancel", task: id, epoch, reason };
    const { jws } = await seal(deps, "control", control, { aud: factory, corr: id });
    await deps.bus.publish({ factory, channel: "ctl" }, jws, ordersKept);
  } catch (error) {
    deps.log.warn("a cancellation could not be put on the bus", { task: id, error });
  }
}
