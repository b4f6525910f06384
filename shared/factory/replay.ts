/** The owner has a task that ended badly done again: as a new task with the same wishes. */
import type { Follow } from "#core/follow-up.ts";
import { replayable, type TaskState } from "#core/task.ts";
import type { Need, Task } from "#ports/tasks.ts";
import { delegate } from "./delegate.ts";
import type { Headquarters } from "./headquarters.ts";

/** A need that was made again is looked for so far. */
const longestLine = 20;

export interface ReplayWish {
  id: string;
  /** The update in which the owner asked: the same one again is the same replay. */
  update: { id: number; receivedAt: number };
  /** The message that asked. */
  message: number;
  /** Who asked. */
  name: string;
}

export type Replayed =
  | { kind: "replayed"; task: Task; withoutDeadline: boolean }
  /** A follow-up, about which the owner is to be asked anew. */
  | { kind: "asked"; follow: Follow }
  /** It was made again before. */
  | { kind: "again"; by: Task }
  | { kind: "unknown" }
  /** It is under way, or it is done. */
  | { kind: "not_needed"; state: TaskState }
  /** What it needs did not succeed. */
  | { kind: "needs"; need: Need };

export async function replay(deps: Headquarters, { id, update, message, name }: ReplayWish): Promise<Replayed> {
  const { store, clock } = deps;
  const old = await store.tasks.get(id);
  if (!old) return { kind: "unknown" };
  // What was approved was approved once.
  if (old.follow !== null) return { kind: "asked", follow: old.follow };
  if (!replayable.includes(old.state)) return { kind: "not_needed", state: old.state };
  const newId = `t${update.id}-r`;
  const before = await store.tasks.replayOf(id);
  if (before && before.id !== newId) return { kind: "again", by: before };

  const after: string[] = [];
  for (const need of before ? [] : await store.tasks.needs(id)) {
    const now = await latestOf(deps, need);
    if (replayable.includes(now.state)) return { kind: "needs", need: now };
    after.push(now.id);
  }
  // Reckoned from when the owner asked, so that the same update comes to the same wish.
  const still = (at: number | null) => (at !== null && at > update.receivedAt ? at : null);
  const { chat, title, instruction, kind, workspace, wanted, priority, limits, requireVerified, withEdits = false } = old;
  const { task } = await delegate(
    deps,
    {
      ...{
        id: newId,
        chat,
        message,
        title,
        instruction,
        kind,
        workspace,
        factory: wanted,
        priority,
        limits,
        requireVerified,
        withEdits,
        after,
      },
      notBefore: still(old.notBefore),
      deadline: still(old.deadline),
      replayOf: id,
      follow: null,
      receivedAt: update.receivedAt,
    },
    `${name} had ${id} done again`,
  );
  if (!before) await store.tasks.note(id, old.epoch, { kind: "replayed", text: `${name} had it done again, as ${newId}` }, clock.now());
  return { kind: "replayed", task, withoutDeadline: old.deadline !== null && task.deadline === null };
}

/** A need, or what it was made again as. */
async function latestOf({ store }: Headquarters, need: Need): Promise<Need> {
  let latest = need;
  for (let line = 0; line < longestLine && replayable.includes(latest.state); line += 1) {
    const next = await store.tasks.replayOf(latest.id);
    if (!next) break;
    latest = { id: next.id, state: next.state };
  }
  return latest;
}

/** The answer to whoever asked. */
export function replayAnswer(id: string, outcome: Replayed): string {
  switch (outcome.kind) {
    case "unknown":
      return `There is no task ${id.slice(0, 64)}. /tasks lists them.`;
    case "not_needed":
      return outcome.state === "succeeded" ? `${id} is done already.` : `${id} is ${outcome.state}: it is not over yet.`;
    case "asked":
      return `${id} was approved once, and not for a second time. /${outcome.follow.do} ${outcome.follow.of} has you asked again.`;
    case "again":
      return `${id} was done again already, as ${outcome.by.id}, which is ${outcome.by.state}.`;
    case "needs":
      return `${id} needs ${outcome.need.id}, which is ${outcome.need.state}. Have that done again first.`;
    case "replayed": {
      const { task, withoutDeadline } = outcome;
      return `${id} is done again as ${task.id}, which is ${task.state}${withoutDeadline ? "; its deadline has passed, so it has none now" : ""}.`;
    }
  }
}
