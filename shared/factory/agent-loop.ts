/**
 * One agent at work: model call, tools, model call, … until it ends, always with a reason. Each model reply and each
 * tool result is stored before it is acted on, so a killed run goes on from its transcript and repeats nothing.
 */
import * as z from "zod";
import { hasCode, publicMessage } from "#core/errors.ts";
import type { Limits } from "#core/limits.ts";
import type { Clock } from "#ports/clock.ts";
import type { Block, Message, ToolSpec } from "#ports/llm.ts";
import type { Tool, ToolResult } from "#ports/tool.ts";
import type { Entry, Transcript } from "#ports/transcript.ts";
import type { Meter } from "./meter.ts";
import { isStuck, maxRepeats, type ToolUse } from "./stuck.ts";

export interface AgentRun {
  system: string;
  /** What was said before this run; the same at every resume. */
  preface: readonly Message[];
  prompt: string;
  tools: readonly Tool[];
  transcript: Transcript;
  meter: Meter;
  limits: Limits;
  /** Clock time at which it must be over. */
  deadline: number;
  clock: Clock;
  signal: AbortSignal;
  /** True: an answer without a tool call ends the run. False: only the finish tool does. */
  mayAnswer: boolean;
  /** Idempotency keys start with it. */
  key: string;
  /** Told after every step; never awaited for long. */
  onStep?(step: number, text: string): void;
}

export type AgentEnd =
  | { kind: "answered"; text: string; steps: number }
  | { kind: "finished"; status: "done" | "failed"; summary: string; steps: number }
  | { kind: "stopped"; code: string; reason: string; steps: number };

const maxTokensPerReply = 8192;
/** Replies in a row that are no legal call (unknown tool, bad input, no call at all) before the run ends. */
const maxFormatErrors = 3;

/** Runs to its end. Rejects only if the transcript or the ledger can't be written. */
export async function runAgent(run: AgentRun): Promise<AgentEnd> {
  const entries = await run.transcript.load();
  const specs = toolSpecs(run.tools);
  const steps = () => entries.filter((entry) => entry.type === "assistant").length;
  const stopped = (code: string, reason: string): AgentEnd => ({ kind: "stopped", code, reason, steps: steps() });

  async function append(entry: Entry) {
    await run.transcript.append(entries.length, entry);
    entries.push(entry);
  }

  if (entries.length === 0) await append({ type: "user", text: run.prompt });

  for (;;) {
    const end = await runTools(run, entries, append);
    if (end) return { kind: "finished", ...end, steps: steps() };

    const limit = overLimit(run, steps());
    if (limit) return stopped(limit.code, limit.reason);
    if (isStuck(entries)) return stopped("stuck", `it made the same call ${maxRepeats} times in a row without getting further`);
    if (formatErrors(entries, run.mayAnswer) >= maxFormatErrors) {
      return stopped("format_errors", `the model's replies were unusable ${maxFormatErrors} times in a row`);
    }

    const request = {
      system: run.system,
      messages: [...run.preface, ...toMessages(entries)],
      tools: specs,
      maxTokens: maxTokensPerReply,
      signal: run.signal,
    };
    let reply: Awaited<ReturnType<Meter["call"]>>;
    try {
      reply = await run.meter.call(request, steps() + 1);
    } catch (error) {
      if (run.signal.aborted) return stopped("interrupted", abortReason(run.signal));
      const code = hasCode(error, "llm_refused")
        ? "model_refused"
        : hasCode(error, "llm_incomplete")
          ? "model_garbage"
          : "model_unreachable";
      return stopped(code, `the model could not be used: ${publicMessage(error)}`);
    }
    await append({ type: "assistant", content: reply.content, stop: reply.stop });
    run.onStep?.(steps(), describe(reply.content));

    if (reply.stop === "refusal") return stopped("model_refused", "the model refused to go on");
    if (toolUses(reply.content).length > 0) continue;
    if (run.mayAnswer) return { kind: "answered", text: textOf(reply.content), steps: steps() };
    await append({ type: "user", text: "Nothing was called. Go on with a tool, or call finish." });
  }
}

/** Runs the calls of the last reply that have no result yet. Resolves to the end that a tool declared, if any. */
async function runTools(run: AgentRun, entries: readonly Entry[], append: (entry: Entry) => Promise<void>) {
  const last = entries.findLastIndex((entry) => entry.type === "assistant");
  const reply = entries[last];
  if (reply?.type !== "assistant") return null;
  const after = entries.slice(last + 1);
  const done = after.flatMap((entry) => (entry.type === "result" ? [entry] : []));
  const begun = new Set(after.flatMap((entry) => (entry.type === "intent" ? [entry.toolUseId] : [])));

  for (const use of toolUses(reply.content)) {
    if (done.some((result) => result.toolUseId === use.id)) continue;
    const tool = run.tools.find((candidate) => candidate.name === use.name);
    const result =
      begun.has(use.id) && !tool?.repeatable
        ? failure("The factory was restarted while this ran. It may or may not have taken effect: look before you repeat it.")
        : await callTool(run, tool, use, reply.stop, append);
    const entry: Entry = { type: "result", toolUseId: use.id, content: result.content, isError: result.isError ?? false };
    if (result.end) entry.end = result.end;
    await append(entry);
    done.push(entry);
  }
  return done.find((result) => result.end)?.end ?? null;
}

async function callTool(
  run: AgentRun,
  tool: Tool | undefined,
  use: ToolUse,
  stop: string,
  append: (entry: Entry) => Promise<void>,
): Promise<ToolResult> {
  if (stop === "max_tokens") return failure("Your reply was cut off at its length limit, so this call was not run. Make smaller calls.");
  if (!tool) return failure(`There is no tool ${use.name}. There are: ${run.tools.map((t) => t.name).join(", ")}.`);
  const input = tool.input.safeParse(use.input);
  if (!input.success) return failure(`That input does not fit ${use.name}: ${z.prettifyError(input.error)}`);
  if (run.signal.aborted) return failure("Stopped before this ran.");
  await append({ type: "intent", toolUseId: use.id, name: use.name });
  try {
    return await tool.run(input.data, { key: `${run.key}:${use.id}`, signal: run.signal });
  } catch (error) {
    return failure(publicMessage(error));
  }
}

function failure(content: string): ToolResult {
  return { content, isError: true };
}

function overLimit(run: AgentRun, steps: number): { code: string; reason: string } | null {
  const { limits } = run;
  const total = run.meter.total();
  if (run.signal.aborted) return { code: "interrupted", reason: abortReason(run.signal) };
  if (steps >= limits.steps) return { code: "step_limit", reason: `it used all of its ${limits.steps} steps` };
  if (total.cost >= limits.usd) return { code: "cost_limit", reason: "it used up its budget" };
  if (total.tokens >= limits.tokens) return { code: "token_limit", reason: `it used all of its ${limits.tokens} tokens` };
  if (run.clock.now() >= run.deadline) return { code: "time_limit", reason: "its time was up" };
  return null;
}

/** How many replies at the end were errors of form: nothing but refused calls, or no call where one is due. */
function formatErrors(entries: readonly Entry[], mayAnswer: boolean): number {
  const replies = entries.flatMap((entry, index) => (entry.type === "assistant" ? [{ entry, index }] : []));
  let count = 0;
  for (const { entry, index } of replies.toReversed()) {
    const uses = toolUses(entry.content);
    const rest = entries.slice(index + 1);
    const ran = uses.some((use) => rest.some((later) => later.type === "intent" && later.toolUseId === use.id));
    if (ran || (uses.length === 0 && mayAnswer)) break;
    count += 1;
  }
  return count;
}

/** Tool results of one step go into one user message, in the order of the calls. */
export function toMessages(entries: readonly Entry[]): Message[] {
  const messages: Message[] = [];
  const say = (role: Message["role"], block: Block) => {
    const last = messages.at(-1);
    if (last?.role === role) last.content.push(block);
    else messages.push({ role, content: [block] });
  };
  for (const entry of entries) {
    if (entry.type === "user") say("user", { type: "text", text: entry.text });
    if (entry.type === "assistant") {
      // An empty reply is legal from some models and illegal to send back.
      const content: Block[] = entry.content.length > 0 ? entry.content : [{ type: "text", text: "(nothing)" }];
      for (const block of content) say("assistant", block);
    }
    if (entry.type === "result") say("user", { type: "tool_result", id: entry.toolUseId, content: entry.content, isError: entry.isError });
  }
  return messages;
}

function toolSpecs(tools: readonly Tool[]): ToolSpec[] {
  return tools
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((tool) => {
      const { $schema: _, ...inputSchema } = z.toJSONSchema(tool.input, { io: "input" });
      return { name: tool.name, description: tool.description, inputSchema };
    });
}

function toolUses(content: readonly Block[]): ToolUse[] {
  return content.filter((block) => block.type === "tool_use");
}

function textOf(content: readonly Block[]) {
  return content
    .flatMap((block) => (block.type === "text" ? [block.text] : []))
    .join("\n")
    .trim();
}

/** One line for a timeline: what it calls, or how its text begins. */
function describe(content: readonly Block[]): string {
  const uses = toolUses(content).map((use) => `${use.name} ${gist(use.input)}`.trim());
  return (uses.length > 0 ? uses.join("; ") : textOf(content)).slice(0, 300);
}

function gist(input: unknown) {
  if (typeof input !== "object" || input === null) return "";
  const first = Object.values(input).find((value) => typeof value === "string");
  return typeof first === "string" ? first.split("\n", 1)[0] : "";
}

function abortReason(signal: AbortSignal) {
  return signal.reason instanceof Error ? publicMessage(signal.reason) : String(signal.reason ?? "it was stopped");
}
