/** Is an agent going round in circles? */
import type { Block } from "#ports/llm.ts";
import type { Entry } from "#ports/transcript.ts";

export type ToolUse = Extract<Block, { type: "tool_use" }>;

/** So many identical replies in a row end the run. */
export const maxRepeats = 5;
/** How long something took differs from run to run, and is no news: `0.6 s`, `254.7ms`, `duration_ms 12.5`. */
const durations = /\bduration_ms [\d.]+|\b\d+(\.\d+)? ?m?s\b/g;

/** True if the last `maxRepeats` replies made the very same calls and got the same results. */
export function isStuck(entries: readonly Entry[]): boolean {
  const replies = entries.flatMap((entry, index) => (entry.type === "assistant" ? [{ content: entry.content, index }] : []));
  const steps = replies.slice(-maxRepeats).map(({ content, index }) => fingerprint(content, entries.slice(index + 1)));
  return steps.length === maxRepeats && steps.every((step) => step !== null && step === steps[0]);
}

/** The calls of a reply with their results; null for a reply without calls. */
function fingerprint(content: readonly Block[], rest: readonly Entry[]): string | null {
  const uses = content.filter((block) => block.type === "tool_use");
  if (uses.length === 0) return null;
  const results = uses.map((use) => rest.find((entry) => entry.type === "result" && entry.toolUseId === use.id));
  const textOf = (result: Entry | undefined) => (result?.type === "result" ? result.content.replaceAll(durations, "") : null);
  return JSON.stringify(uses.map((use, i) => [use.name, use.input, textOf(results[i])]));
}
