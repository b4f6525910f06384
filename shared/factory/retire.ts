/** Puts a factory out of the corporation: HQ hears it no more, it is told to stop, and its tasks go elsewhere at once. */
import { leasedStates } from "#core/task.ts";
import { expel } from "./admit.ts";
import { publishControl } from "./control.ts";
import { dispatchAll } from "./dispatch.ts";
import type { Headquarters } from "./headquarters.ts";
import { requeue } from "./recover.ts";

/** Calls that taking one task back takes, and those that are left for the answer. */
const callsEach = 6;
const callsKept = 8;
const mostTasks = 100;

/**
 * Resolves to what to say. What this event has no calls left for comes back when its lease ends. Its own next request is refused;
 * so the word on the bus is for one that can't reach HQ, and no row waits for it: an id may be enrolled again.
 */
export async function retireFactory(deps: Headquarters, id: string): Promise<string> {
  const { store, clock, ids } = deps;
  const factory = await store.factories.get(id);
  if (!factory) return `There is no factory ${id}. /fleet lists them.`;
  if (factory.status !== "retired") {
    await store.factories.setStatus(id, "retired", clock.now());
    const reason = `${factory.name} was retired; enrol it again to use it`;
    // First the word, then the door: without its user on the bus it would not hear it.
    await publishControl(deps, id, { id: ids.next("ctl"), seq: await store.next(`ctl:${id}`), do: "revoke", reason });
    await expel(deps, factory);
  }
  const back = await takeBack(deps, id, `${factory.name} was retired`);
  if (factory.status === "retired" && back === 0) return `${factory.name} was retired already.`;
  await dispatchAll(deps);
  const tasks = back === 0 ? "" : ` ${back === 1 ? "Its task is" : `Its ${back} tasks are`} tried again elsewhere.`;
  return `${factory.name} is retired: nothing that it says counts any more.${tasks} To have it back, make a new code: /enrol ${id}`;
}

/** Counted against nobody: it was the owner's doing. Resolves to how many came back. */
async function takeBack(deps: Headquarters, factory: string, why: string): Promise<number> {
  const theirs = await deps.store.tasks.list({ factory, states: ["dispatched", ...leasedStates], oldestFirst: true, limit: mostTasks });
  let back = 0;
  for (const task of theirs) {
    if (deps.callsLeft() < callsKept + callsEach) break;
    if (await requeue(deps, task, "return", why, "returned")) back += 1;
  }
  return back;
}
