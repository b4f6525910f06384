/** How a factory is told to do something: the store holds it until the factory says that it did, so the bus need not carry it. */
import type { Control } from "#core/control.ts";
import { UacError } from "#core/errors.ts";
import { ordersKept } from "#core/fleet.ts";
import { isTerminal } from "#core/task.ts";
import type { Task } from "#ports/tasks.ts";
import type { Headquarters } from "./headquarters.ts";
import { seal } from "./seal.ts";

/** A task can move on between the look and the step: then it is looked at again. */
const looks = 5;

/** Puts a control on the bus. Without the bus, the answer to the next heartbeat brings it. */
export async function publishControl(deps: Headquarters, factory: string, control: Control): Promise<void> {
  try {
    const { jws } = await seal(deps, "control", control, { aud: factory, corr: "task" in control ? control.task : null, seq: control.seq });
    await deps.bus.publish({ factory, channel: "ctl" }, jws, ordersKept);
  } catch (error) {
    deps.log.warn("a control could not be put on the bus", { factory, control: control.id, do: control.do, error });
  }
}

/**
 * `act` on a task that is not over; again where it resolves to null, since the task moved on after the look. Throws `conflict` if
 * the task never stands still.
 */
export async function onTask<T>(deps: Headquarters, id: string, act: (task: Task) => Promise<T | null>): Promise<T | "unknown" | "over"> {
  for (let look = 0; look < looks; look += 1) {
    const task = await deps.store.tasks.get(id);
    if (!task) return "unknown";
    if (isTerminal(task.state)) return "over";
    const outcome = await act(task);
    if (outcome !== null) return outcome;
  }
  throw new UacError("conflict", `Task ${id} changes too fast to be told anything; try again`);
}
