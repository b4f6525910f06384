/** Lets a running task stand still, and go on. Its factory keeps its slot for it, and its time limit stands still with it. */
import { overBudgetCode } from "#core/task.ts";
import { cardEdit } from "./card.ts";
import { onTask, publishControl } from "./control.ts";
import type { Headquarters } from "./headquarters.ts";

/** `budget`: it stands still at one, which is decided by an answer. `idle`: nobody works on it, so there is nothing to pause or to go on with. `already`: it is as it was asked to be. */
export type PauseOutcome = "unknown" | "over" | "idle" | "already" | "told" | "budget";

/** The task is paused from now on; its factory stops after the step that runs. Throws `conflict` if the task never stands still. */
export function pauseTask(deps: Headquarters, id: string, by: string): Promise<PauseOutcome> {
  return tell(deps, id, "pause", `paused by ${by}; it stops after the step that runs`);
}

/** The same, for going on. A factory that is not heard of within a lease from now on has lost it. */
export function resumeTask(deps: Headquarters, id: string, by: string): Promise<PauseOutcome> {
  return tell(deps, id, "resume", `goes on, says ${by}`);
}

function tell(deps: Headquarters, id: string, wish: "pause" | "resume", text: string): Promise<PauseOutcome> {
  const { store, clock, ids } = deps;
  const [from, to] = wish === "pause" ? (["running", "paused"] as const) : (["paused", "running"] as const);
  return onTask(deps, id, async (task): Promise<PauseOutcome | null> => {
    if (task.state === "paused" && task.code === overBudgetCode) return "budget";
    if (task.state === to) return "already";
    if (task.state !== from) return "idle";
    const { epoch, factory } = task;
    const entry = { kind: wish, text };
    const control = await store.controls.direct(task, { id: ids.next("ctl"), do: wish, task: id, epoch }, entry, clock.now());
    if (!control || !factory) return null;
    await publishControl(deps, factory, control);
    await store.letters.add([cardEdit(deps, { ...task, state: to, reason: text }, [])], clock.now());
    return "told";
  });
}
