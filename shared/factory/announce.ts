/** Tells the owner that a task is over. */
import { cardEdit, completionLetters, letterKeys } from "./card.ts";
import type { Headquarters } from "./headquarters.ts";

const dayMs = 86_400_000;
const perSweep = 10;
const callsEach = 4;

/** Queues the card's last edit and the completion. Keys make a second call harmless. */
export async function announce(deps: Headquarters, taskId: string): Promise<void> {
  const { store, clock } = deps;
  const task = await store.tasks.get(taskId);
  if (!task) return;
  const cost = await store.ledger.total({ task: taskId });
  await store.letters.add([cardEdit(deps, task, []), ...completionLetters(deps, task, cost)], clock.now());
}

/** Tasks that ended and were not announced: what ended them was killed before it could. */
export async function announceForgotten(deps: Headquarters): Promise<void> {
  const { store, clock } = deps;
  for (const task of await store.tasks.withoutLetter(letterKeys.done(""), clock.now() - dayMs, perSweep)) {
    if (deps.callsLeft() < callsEach) return;
    await announce(deps, task.id);
  }
}
