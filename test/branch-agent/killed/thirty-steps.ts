/**
 * A model with thirty things to do, one call each, which looks before it repeats what nobody knows to be done. What it says follows from
 * the conversation alone, as with a real one: a resumed run goes on with it.
 */
import type { ScriptedReply } from "#adapters/llm/scripted.ts";
import type { Block, ModelRequest } from "#ports/llm.ts";

interface Goal {
  name: string;
  input: unknown;
  /** Where to look whether it was done, and by which text. */
  file: string;
  mark: string;
}

const tens = Array.from({ length: 10 }, (_, i) => i);

export const ledger = `${tens.map((i) => `entry ${i}: open`).join("\n")}\n`;
export const goals: readonly Goal[] = tens.flatMap((i): Goal[] => [
  { name: "write", input: { path: `src/part-${i}.txt`, content: `part ${i}\n` }, file: `src/part-${i}.txt`, mark: `part ${i}` },
  {
    name: "edit",
    input: { path: "ledger.txt", edits: [{ old: `entry ${i}: open`, new: `entry ${i}: done` }] },
    file: "ledger.txt",
    mark: `entry ${i}: done`,
  },
  // Twice is once too often.
  { name: "bash", input: { command: `echo line ${i}. >> log.txt` }, file: "log.txt", mark: `line ${i}.` },
]);
/** Passes when all of it is done, each once. */
export const testCommand =
  "test $(cat src/part-*.txt | wc -l) = 10 && test $(grep -c done ledger.txt) = 10 && test $(wc -l < log.txt) = 10";

export function reply({ messages }: ModelRequest): ScriptedReply {
  const { done, look } = standing(messages.flatMap(({ content }) => content));
  const goal = goals[done];
  if (!goal) return { tools: [{ name: "finish", input: { status: "done", summary: "All thirty are done." } }] };
  return { tools: [look ? { name: "read", input: { path: goal.file } } : { name: goal.name, input: goal.input }] };
}

/** How many goals are reached, and whether the next one's file must be looked at first. */
function standing(blocks: readonly Block[]): { done: number; look: boolean } {
  let done = 0;
  let look = false;
  let inDoubt = false;
  for (const block of blocks) {
    if (block.type !== "tool_result") continue;
    const goal = goals[done];
    const use = blocks.find((one) => one.type === "tool_use" && one.id === block.id);
    if (!goal || use?.type !== "tool_use") continue;
    if (use.name === "read") {
      look = false;
      // What is unchanged since it was read last was not done since.
      if (inDoubt && block.content.includes(goal.mark)) done += 1;
      inDoubt = false;
    } else if (!block.isError) done += 1;
    else {
      look = true;
      inDoubt = block.content.includes("restarted");
    }
  }
  return { done, look };
}
