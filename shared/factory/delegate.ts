/** Turns what Simone wants done into a task: created once, shown as a card, routed at once. */
import type { Route } from "#core/routing.ts";
import type { NewTask, Task } from "#ports/store.ts";
import { cardLetter } from "./card.ts";
import { candidates, dispatchTask, publishOrders, wayOf } from "./dispatch.ts";
import type { Headquarters } from "./headquarters.ts";

/** `id`: the same id is the same task, so a turn that is run again delegates nothing twice. */
export interface Delegation extends Omit<NewTask, "wanted"> {
  /** The factory that the owner named, or null. */
  factory: string | null;
}

/** Resolves to the task and where it goes, or why it is held. */
export async function delegate(deps: Headquarters, wish: Delegation): Promise<{ task: Task; route: Route | null }> {
  const { store, clock } = deps;
  const { factory, ...rest } = wish;
  const text = `${deps.profile.personas.primary} delegated: ${wish.title}`;
  await store.tasks.create({ ...rest, wanted: factory }, { kind: "delegated", text, persona: deps.profile.personas.primary }, clock.now());
  const created = await required(deps, wish.id);

  const fleet = candidates(await store.factories.list(), clock.now());
  const route = created.state === "queued" ? wayOf(created, fleet) : null;
  if (route) await dispatchTask(deps, created, route);
  const task = await required(deps, wish.id);
  // A queue has its reason too, and nothing else tells it.
  const shown = task.state === "queued" && route && "hold" in route ? { ...task, reason: route.reason } : task;
  await store.letters.add([cardLetter(deps, shown)], clock.now());
  await publishOrders(deps);
  return { task, route };
}

async function required(deps: Headquarters, id: string): Promise<Task> {
  const task = await deps.store.tasks.get(id);
  if (!task) throw new Error(`task ${id} vanished`);
  return task;
}
