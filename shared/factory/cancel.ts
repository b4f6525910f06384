/** Stops a task: at once where no factory holds it, else by telling the factory on the bus and by heartbeat. */
import { isTerminal } from "#core/task.ts";
import type { Task } from "#ports/store.ts";
import { announce } from "./announce.ts";
import { cardEdit } from "./card.ts";
import type { Headquarters } from "./headquarters.ts";
import { seal } from "./seal.ts";

export type CancelOutcome = "unknown" | "over" | "cancelled" | "requested";

/** `requested`: the factory was told; its result ends the task. */
export async function cancelTask(deps: Headquarters, id: string, reason: string): Promise<CancelOutcome> {
  const { store, clock, bus, log } = deps;
  const task = await store.tasks.get(id);
  if (!task) return "unknown";
  if (isTerminal(task.state)) return "over";

  const held = task.state === "queued" || task.state === "held" || task.state === "waiting" || task.state === "dispatched";
  if (held && (await store.tasks.move(id, task.epoch, "cancel", { kind: "cancelled", text: reason, code: "cancelled" }, clock.now()))) {
    await announce(deps, id);
    return "cancelled";
  }
  await store.tasks.requestCancel(id, reason, clock.now());
  await tellFactory(deps, task, reason).catch((error: unknown) => {
    // The heartbeat's reply carries it too, within half a minute.
    log.warn("a cancellation could not be put on the bus", { task: id, error });
  });
  const now = await store.tasks.get(id);
  if (now) await store.letters.add([cardEdit(deps, now, [])], clock.now());
  return "requested";

  async function tellFactory(to: Headquarters, cancelled: Task, why: string) {
    if (!cancelled.factory) return;
    const body = { task: cancelled.id, epoch: cancelled.epoch, reason: why };
    const { jws } = await seal(to, "cancel", body, { aud: cancelled.factory, corr: cancelled.id });
    await bus.publish({ factory: cancelled.factory, channel: "ctl" }, jws);
  }
}
