/** Stops a task: at once where no factory works on it, else by telling its factory. */
import type { TaskState } from "#core/task.ts";
import { closeMoot } from "./ask-owner.ts";
import { cardEdit } from "./card.ts";
import { onTask, publishControl } from "./control.ts";
import { ended } from "./ended.ts";
import type { Headquarters } from "./headquarters.ts";

export type CancelOutcome = "unknown" | "over" | "cancelled" | "requested";

/** States in which nobody works on it. */
const idle: readonly TaskState[] = ["queued", "held", "waiting", "dispatched"];

/** `requested`: the factory was told; its result ends the task, or the end of its lease. Throws `conflict` if the task never stands still. */
export function cancelTask(deps: Headquarters, id: string, reason: string): Promise<CancelOutcome> {
  const { store, clock, ids } = deps;
  return onTask(deps, id, async (task): Promise<CancelOutcome | null> => {
    const { epoch, factory } = task;
    if (idle.includes(task.state)) {
      const entry = { kind: "cancelled", text: reason, code: "cancelled", from: task.state };
      if (!(await store.tasks.move(id, epoch, "cancel", entry, clock.now()))) return null;
      await ended(deps, id);
      if (task.state === "held") await closeMoot(deps, { ...task, state: "cancelled", reason });
      return "cancelled";
    }
    if (task.cancelRequested !== null) return "requested";
    const wish = { id: ids.next("ctl"), do: "cancel" as const, task: id, epoch, reason: reason.slice(0, 500) };
    const control = await store.controls.direct(task, wish, { kind: "cancel_requested", text: reason }, clock.now());
    if (!control || !factory) return null;
    await publishControl(deps, factory, control);
    await store.letters.add([cardEdit(deps, { ...task, cancelRequested: reason }, [])], clock.now());
    return "requested";
  });
}
