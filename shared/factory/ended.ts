/** What follows from the end of a task: the owner is told, and what waited for it begins, or ends with it. */
import { announce } from "./announce.ts";
import { cardEdit } from "./card.ts";
import type { Headquarters } from "./headquarters.ts";

/** So many waiting tasks are moved on in one go, and so many of one need at once: the minute tick goes on with the rest. */
const most = 50;
/** Calls that moving one on takes at most, and those that are left for orders and letters. */
const callsEach = 4;
const callsKept = 12;

export async function ended(deps: Headquarters, ...ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await announce(deps, ...ids);
  await moveWaiting(deps, ids);
}

/**
 * Releases the waiting tasks whose needs have all succeeded, and fails those of which one ended otherwise, with what waits for
 * them in turn. `needs`: of those that wait for one of them; null: all, for what was killed before it could. Repeatable.
 */
export async function moveWaiting(deps: Headquarters, needs: readonly string[] | null): Promise<void> {
  const { store, clock } = deps;
  let moved = 0;
  for (let over = needs; over === null || over.length > 0; ) {
    if (deps.callsLeft() < callsKept) return;
    const failed: string[] = [];
    for (const { task, broken } of await store.tasks.unblocked(over, most)) {
      if (moved === most || deps.callsLeft() < callsKept + callsEach) return;
      moved += 1;
      if (broken) {
        const text = `it needed ${broken.id}, which is ${broken.state}`;
        if (!(await store.tasks.move(task.id, task.epoch, "fail", { kind: "failed", text, code: "dependency" }, clock.now()))) continue;
        await announce(deps, task.id);
        failed.push(task.id);
      } else {
        const text = "what it waited for is done";
        if (!(await store.tasks.move(task.id, task.epoch, "release", { kind: "released", text, code: "" }, clock.now()))) continue;
        await store.letters.add([cardEdit(deps, { ...task, state: "queued", reason: text }, [])], clock.now());
      }
    }
    over = failed;
  }
}
