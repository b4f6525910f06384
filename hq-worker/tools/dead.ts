/** Dead letters: tasks that were given up, and entries of the bus that nobody could read. */
import type { Headquarters } from "#factory/headquarters.ts";
import { moment } from "#factory/when.ts";

const listed = 10;
const longestReason = 200;

export async function deadReport({ store }: Headquarters): Promise<string> {
  const [tasks, entries] = await Promise.all([
    store.tasks.list({ states: ["dead"], limit: listed }),
    store.incidents({ kind: "dead_letter", limit: listed }),
  ]);
  if (tasks.length + entries.length === 0) return "There are no dead letters.";
  return [
    ...tasks.map((task) => `${task.id}: ${task.title} – ${task.reason.slice(0, longestReason)}`),
    ...(tasks.length > 0 ? ["/replay <id> does one again."] : []),
    ...entries.map(({ at, text }) => `${moment(at)}: ${text.slice(0, longestReason)}`),
  ].join("\n");
}
