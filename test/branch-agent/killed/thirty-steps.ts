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

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);
const parts = 13;
const lines = 4;

const writes = numbers(parts).map(
  (i): Goal => ({
    name: "write",
    input: { path: `src/part-${i}.txt`, content: `part ${i}.\n` },
    file: `src/part-${i}.txt`,
    mark: `part ${i}.`,
  }),
);
const edits = numbers(parts).map(
  (i): Goal => ({
    name: "edit",
    input: { path: "ledger.txt", edits: [{ old: `entry ${i}: open`, new: `entry ${i}: done` }] },
    file: "ledger.txt",
    mark: `entry ${i}: done`,
  }),
);
/** Twice is once too often. */
const commands = numbers(lines).map(
  (i): Goal => ({ name: "bash", input: { command: `echo line ${i}. >> log.txt` }, file: "log.txt", mark: `line ${i}.` }),
);

export const ledger = `${numbers(parts)
  .map((i) => `entry ${i}: open`)
  .join("\n")}\n`;
export const goals = numbers(parts).flatMap((i) => [writes[i], edits[i], commands[i]].filter((goal) => goal !== undefined));
/** Passes when all of it is done, each once. */
export const testCommand = [
  `test $(cat src/part-*.txt | wc -l) = ${parts}`,
  `test $(grep -c done ledger.txt) = ${parts}`,
  `test $(wc -l < log.txt) = ${lines}`,
].join(" && ");

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
