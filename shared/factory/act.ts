/** What a model asked for is done, once: each call that has no result yet gets one, and a call that was cut off is not made again by itself. */
import * as z from "zod";
import { hasCode, publicMessage } from "#core/errors.ts";
import type { ToolResult } from "#ports/tool.ts";
import type { Entry } from "#ports/transcript.ts";
import type { AgentRun, End, Progress } from "./agent-run.ts";
import { paused, stepsOf, stopped } from "./run-ends.ts";
import { isShown, type ToolUse, textOf, toolUses } from "./shown.ts";

const nudge = "Nothing was called. Go on with a tool, or call finish.";

/**
 * Does what the last reply asks for, as far as that was not done before. Null: the model is to be asked again, as after a reply
 * that was to be the last and that something was said to.
 */
export async function actOnReply(run: AgentRun, { entries, append }: Progress): Promise<End | null> {
  const at = entries.findLastIndex((entry) => entry.type === "assistant");
  const reply = entries[at];
  if (reply?.type !== "assistant") return null;
  if (reply.stop === "refusal") return stopped("model_refused", "the model refused to go on");
  const uses = toolUses(reply.content);
  if (uses.length > 0) return runTools(run, { entries, append }, { uses, at, stop: reply.stop });
  if (at < entries.length - 1) return null;
  if (run.mayAnswer) return { kind: "answered", text: textOf(reply.content) };
  await append({ type: "user", text: nudge });
  return null;
}

/** Runs the calls that have no result yet. Resolves to the end that a tool declared, if any. */
async function runTools(
  run: AgentRun,
  { entries, append }: Progress,
  { uses, at, stop }: { uses: readonly ToolUse[]; at: number; stop: string },
): Promise<End | null> {
  const step = stepsOf(entries);
  for (const [index, use] of uses.entries()) {
    const before = entries.slice(at + 1);
    if (before.some((entry) => entry.type === "result" && entry.toolUseId === use.id)) continue;
    if (run.mayGoOn?.() === false) return paused;
    const begun = before.some((entry) => entry.type === "intent" && entry.toolUseId === use.id);
    const call = { stop, key: `${run.key}-${step}-${index + 1}`, entries, append };
    const result = begun ? await lookAfter(run, use, call) : await callTool(run, use, call);
    await append({ type: "result", toolUseId: use.id, isError: false, ...result });
  }
  const since = entries.slice(at + 1);
  if (since.some((entry) => entry.type === "user")) return null;
  const end = since.find((entry): entry is Extract<Entry, { type: "result" }> => entry.type === "result" && entry.end !== undefined)?.end;
  return end ? { kind: "finished", ...end } : null;
}

async function callTool(
  run: AgentRun,
  use: ToolUse,
  call: Progress & { stop: string; key: string },
): Promise<ToolResult & { refused?: true }> {
  const tool = run.tools.find((candidate) => candidate.name === use.name);
  if (call.stop === "max_tokens")
    return refusal("Your reply was cut off at its length limit, so this call was not run. Make smaller calls.");
  if (!tool) return refusal(`There is no tool ${use.name}. There are: ${run.tools.map((t) => t.name).join(", ")}.`);
  const input = tool.input.safeParse(use.input);
  if (!input.success) return refusal(`That input does not fit ${use.name}: ${z.prettifyError(input.error)}`);
  if (run.signal.aborted) return failure("Stopped before this ran.");
  if (!tool.repeatable) await call.append({ type: "intent", toolUseId: use.id, name: use.name });
  try {
    const stillShown = (what: string) => isShown(call.entries, what);
    return await tool.run(input.data, { key: call.key, signal: run.signal, stillShown });
  } catch (error) {
    // Nobody knows whether it was done. Told so, the model would ask again, which is another call; the run breaks off instead, and
    // goes on from its transcript with the same call under the same key.
    if (tool.repeatable && hasCode(error, "store_unavailable")) throw error;
    return failure(publicMessage(error));
  }
}

/** What became of a call that was cut off. */
async function lookAfter(
  run: AgentRun,
  use: ToolUse,
  { key, entries }: { key: string; entries: Progress["entries"] },
): Promise<ToolResult> {
  const unknown = failure("The factory was restarted while this ran. It may or may not have taken effect: look before you repeat it.");
  const tool = run.tools.find((candidate) => candidate.name === use.name);
  const input = tool?.input.safeParse(use.input);
  if (!tool?.afterRestart || !input?.success) return unknown;
  const stillShown = (what: string) => isShown(entries, what);
  return await tool.afterRestart(input.data, { key, signal: run.signal, stillShown }).catch(() => unknown);
}

function failure(content: string): ToolResult {
  return { content, isError: true };
}

function refusal(content: string) {
  return { content, isError: true, refused: true } as const;
}
