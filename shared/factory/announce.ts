/** Tells the owner that a task is over. */
import { cardEdit, completionLetters } from "./card.ts";
import type { Headquarters } from "./headquarters.ts";

/** Queues the card's last edit and the completion. Keys make a second call harmless. */
export async function announce(deps: Headquarters, taskId: string): Promise<void> {
  const { store, clock } = deps;
  const task = await store.tasks.get(taskId);
  if (!task) return;
  const cost = await store.ledger.total({ task: taskId });
  const letters = [cardEdit(deps, task, await store.tasks.events(taskId)), ...completionLetters(deps, task, cost)];
  await store.letters.add(letters, clock.now());
}
