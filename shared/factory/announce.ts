/** Tells the owner that a task is over. */
import type { Total } from "#core/ledger.ts";
import type { Letter } from "#ports/chat.ts";
import type { Task } from "#ports/tasks.ts";
import { cardEdit, completionLetters, followedEdit, letterKeys } from "./card.ts";
import type { Headquarters } from "./headquarters.ts";

/** No absence of HQ's that is shorter costs a completion. */
const soughtMs = 30 * 86_400_000;
const perSweep = 10;
/** Calls that announcing takes, however many there are. */
const callsNeeded = 4;

/** The card's last edit and the completion. Their keys make a second time harmless. */
function endLetters(deps: Headquarters, task: Task, cost: Total): Letter[] {
  return [cardEdit(deps, task, []), ...completionLetters(deps, task, cost)];
}

/** Queues what is said of tasks that are over. */
export async function announce(deps: Headquarters, ...ids: string[]): Promise<void> {
  const { store, clock } = deps;
  const ended = await store.tasks.withCosts(ids);
  const followed = ended.flatMap(({ task }) => (task.follow && task.state === "succeeded" ? [task.follow.of] : []));
  const letters = ended.flatMap(({ task, cost }) => endLetters(deps, task, cost));
  await store.letters.add([...letters, ...(await followedLetters(deps, followed))], clock.now());
}

/** The completions of the work whose branches became something. */
async function followedLetters(deps: Headquarters, ids: readonly string[]): Promise<Letter[]> {
  if (ids.length === 0) return [];
  const { tasks } = deps.store;
  const done = await tasks.followUps(ids);
  const finished = await tasks.withCosts(ids);
  return finished.map(({ task, cost }) =>
    followedEdit(
      deps,
      task,
      cost,
      done.filter(({ follow }) => follow?.of === task.id),
    ),
  );
}

/** Tasks that ended and were not announced: what ended them was killed before it could. */
export async function announceForgotten(deps: Headquarters): Promise<void> {
  const { store, clock } = deps;
  const forgotten = await store.tasks.withoutLetter(letterKeys.done(""), clock.now() - soughtMs, perSweep);
  if (forgotten.length === 0 || deps.callsLeft() < callsNeeded) return;
  await announce(deps, ...forgotten.map((task) => task.id));
}
