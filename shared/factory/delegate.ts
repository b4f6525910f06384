/** Turns what Simone wants done into a task: created once, shown as a card, given out at once if it is its turn. */
import { UacError } from "#core/errors.ts";
import type { Question } from "#core/question.ts";
import type { Route } from "#core/routing.ts";
import { isTerminal } from "#core/task.ts";
import type { NewTask, Task } from "#ports/tasks.ts";
import { cardLetter } from "./card.ts";
import { dispatchTask, planOf, publishOrders } from "./dispatch.ts";
import type { Headquarters } from "./headquarters.ts";
import { askAboutHold } from "./hold.ts";

/** `id`: the same id is the same task, so a turn that is run again delegates nothing twice. */
export interface Delegation extends Omit<NewTask, "wanted"> {
  /** The factory that the owner named, or null. */
  factory: string | null;
  /** Tasks that must have succeeded before it begins. */
  after: readonly string[];
}

export interface Delegated {
  task: Task;
  /** Where it goes, or why it does not go now; null where that is not asked yet, or was decided before. */
  route: Route | null;
  /** What the owner is asked about it, where no factory can take it. */
  question: Question | null;
}

/**
 * The same wish again is the same task, and nobody is asked twice. Throws `not_found` or
 * `conflict` for a task in `after` that is not there, or that ended otherwise.
 */
export async function delegate(
  deps: Headquarters,
  wish: Delegation,
  text = `${deps.profile.personas.primary} delegated: ${wish.title}`,
): Promise<Delegated> {
  const { store, clock } = deps;
  const { factory, after, ...rest } = wish;
  if (after.length > 0 && !(await store.tasks.get(wish.id))) await checkNeeds(deps, after);
  const event = { kind: "delegated", text, persona: deps.profile.personas.primary };
  await store.tasks.create({ ...rest, wanted: factory }, event, clock.now(), after);
  const created = await required(deps, wish.id);

  const route = created.state === "queued" ? await turnOf(deps, created) : null;
  if (route) await dispatchTask(deps, created, route);
  const task = await required(deps, wish.id);
  // A queue has its reason too, and nothing else tells it.
  const shown = task.state === "queued" && route && "hold" in route ? { ...task, reason: route.reason } : task;
  await store.letters.add([cardLetter(deps, shown)], clock.now());
  await publishOrders(deps);
  return { task, route, question: task.state === "held" ? await questionAbout(deps, task) : null };
}

async function questionAbout(deps: Headquarters, task: Task): Promise<Question | null> {
  const [open] = await deps.store.questions.open({ task: task.id, limit: 1 });
  return open ?? (await askAboutHold(deps, task));
}

/** Where it goes now, as the queue has it. What is looked at in one go may be full of others. */
async function turnOf(deps: Headquarters, task: Task): Promise<Route | null> {
  if (task.notBefore !== null && task.notBefore > deps.clock.now()) return null;
  const planned = (await planOf(deps)).find((step) => step.task.id === task.id);
  return planned?.way ?? { hold: "busy", reason: "others go first" };
}

async function checkNeeds(deps: Headquarters, after: readonly string[]) {
  const known = await deps.store.tasks.known(after);
  const missing = after.filter((id) => !known.some((need) => need.id === id));
  if (missing.length > 0) throw new UacError("not_found", `There is no task ${missing.join(", ")}, so nothing can wait for it.`);
  const over = known.find(({ state }) => isTerminal(state) && state !== "succeeded");
  if (over) throw new UacError("conflict", `Task ${over.id} is ${over.state}: what waits for it would never begin.`);
}

async function required(deps: Headquarters, id: string): Promise<Task> {
  const task = await deps.store.tasks.get(id);
  if (!task) throw new Error(`task ${id} vanished`);
  return task;
}
