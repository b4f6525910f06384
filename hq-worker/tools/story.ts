/** What happened to a task, in lines. */
import { showCost } from "#core/ledger.ts";
import { flagLines, wishesOf } from "#factory/card.ts";
import type { Headquarters } from "#factory/headquarters.ts";

const lastEvents = 25;

/** What is quoted of an owner's slip. */
const quotedChars = 64;

export function noSuchTask(id: string): string {
  return `There is no task ${id.slice(0, quotedChars)}. /tasks lists them.`;
}

export async function storyOf(hq: Headquarters, id: string): Promise<string> {
  const task = id === "" ? null : await hq.store.tasks.get(id);
  if (!task) return id === "" ? "Which task? /task <id>; /tasks lists them." : noSuchTask(id);
  const [events, cost] = await Promise.all([hq.store.tasks.events(id), hq.store.ledger.total({ task: id })]);
  const wishes = wishesOf(task);
  const lines = events.slice(-lastEvents).map((event) => `${time(event.at)} ${event.kind}: ${event.text}`);
  const state = `${task.state}${task.reason ? `: ${task.reason}` : ""} · ${showCost(cost)}`;
  const { receipt } = task;
  const measured = receipt ? [`${receipt.verdict}: ${receipt.why}`, ...flagLines(receipt)] : [];
  return [`${task.title} (${task.id})`, state, ...measured, ...(wishes === "" ? [] : [wishes]), "", ...lines].join("\n");
}

function time(at: number) {
  return new Date(at).toISOString().slice(11, 19);
}
