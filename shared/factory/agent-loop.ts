/**
 * One agent at work: model call, tools, model call, … until it ends, always with a reason. Each model reply and each
 * tool result is stored before it is acted on, so a killed run goes on from its transcript and repeats nothing.
 */
import * as z from "zod";
import type { Budget } from "#core/budget.ts";
import { type ErrorCode, hasCode, publicMessage, UacError } from "#core/errors.ts";
import type { Limits } from "#core/limits.ts";
import type { Clock } from "#ports/clock.ts";
import type { Block, Llm, Message, ModelReply, ToolSpec } from "#ports/llm.ts";
import type { OverBudget } from "#ports/metering.ts";
import type { Tool, ToolResult } from "#ports/tool.ts";
import type { Entry, Transcript } from "#ports/transcript.ts";
import type { Spent } from "./metering.ts";
import { isStuck, maxRepeats, type ToolUse } from "./stuck.ts";

export interface AgentRun {
  system: string;
  /** What was said before this run; the same at every resume. */
  preface: readonly Message[];
  prompt: string;
  tools: readonly Tool[];
  transcript: Transcript;
  /** Metered: every try of a call is in the ledger before its answer is here. */
  llm: Llm;
  /** What the run has spent so far, before a restart too. */
  spent(): Spent;
  limits: Limits;
  /** Clock time at which it must be over; asked again at every step, since it moves while a run stands still. */
  deadline(): number;
  clock: Clock;
  signal: AbortSignal;
  /** True: an answer without a tool call ends the run. False: only the finish tool does. */
  mayAnswer: boolean;
  /** Idempotency keys start with it. */
  key: string;
  /** Asked before every call of the model or a tool. False: the run pauses, to go on from its transcript another time. */
  mayGoOn?(): boolean;
  /**
   * Awaited between two steps, for as long as it takes. What it resolves to is appended: something that whoever works must hear
   * first, also where the run was about to end.
   */
  between?(entries: readonly Entry[]): Promise<readonly Entry[]>;
  /**
   * Where a budget holds no further call: awaited until one may be made, or something else is to be done; the loop then looks again.
   * Without it the run ends there, and also where others' calls hold the budget for longer than a call waits.
   */
  atCap?(error: OverBudget): Promise<void>;
  /** Somebody lets the run end before it is done; asked before every call. */
  endedBy?(): { code: string; reason: string } | null;
  /** Told after every step; never awaited for long. */
  onStep?(step: number, text: string): void;
}

export type AgentEnd =
  | { kind: "answered"; text: string; steps: number }
  | { kind: "finished"; status: "done" | "failed"; summary: string; steps: number }
  /** `budget`: it refused the call that was to come next; `reason` is the meter's sentence. */
  | { kind: "stopped"; code: string; reason: string; budget?: Budget; steps: number }
  | { kind: "paused"; steps: number };

/** A run as far as it came: all that it does next follows from its entries. */
interface Progress {
  entries: readonly Entry[];
  append(entry: Entry): Promise<void>;
}

const maxTokensPerReply = 8192;
/** Others' calls held the budget for as long as a call waits: asked again after so long, until the run's own time is up. */
const othersMs = 5000;
/** Replies in a row that are no legal call (unknown tool, bad input, no call at all) before the run ends. */
const maxFormatErrors = 3;
const nudge = "Nothing was called. Go on with a tool, or call finish.";

/** Runs to its end. Rejects only if the transcript, the ledger or what a tool writes to is out of reach: then it goes on from its transcript. */
export async function runAgent(run: AgentRun): Promise<AgentEnd> {
  const entries = await run.transcript.load();
  const progress: Progress = {
    entries,
    async append(entry) {
      await run.transcript.append(entries.length, entry);
      entries.push(entry);
    },
  };
  const specs = toolSpecs(run.tools);
  if (entries.length === 0) await progress.append({ type: "user", text: run.prompt });

  for (;;) {
    const steps = stepsOf(entries);
    const acted = await actOnReply(run, progress);
    const heard = await hear(run, progress, acted);
    const end = (heard ? null : acted) ?? overLimit(run, entries);
    if (end) return { ...end, steps };
    if (run.mayGoOn?.() === false) return { ...paused, steps };

    const request = {
      system: run.system,
      messages: [...run.preface, ...toMessages(entries)],
      tools: specs,
      maxTokens: maxTokensPerReply,
      step: steps + 1,
      signal: run.signal,
    };
    let reply: ModelReply;
    try {
      reply = await run.llm.complete(request);
    } catch (error) {
      if (run.atCap && isOverBudget(error) && !run.signal.aborted) {
        await run.atCap(error);
        continue;
      }
      if (run.atCap && hasCode(error, "limit_reached") && !run.signal.aborted) {
        await run.clock.sleep(othersMs, run.signal);
        continue;
      }
      return { ...modelFailure(run, error), steps };
    }
    const content = withOwnIds(reply.content, entries);
    await progress.append({ type: "assistant", content, stop: reply.stop });
    run.onStep?.(steps + 1, describe(content));
  }
}

type End = AgentEnd extends infer E ? (E extends AgentEnd ? Omit<E, "steps"> : never) : never;

const paused = { kind: "paused" } as const;

function stopped(code: string, reason: string, budget?: Budget): End {
  return { kind: "stopped", code, reason, ...(budget && { budget }) };
}

/** True if something was said that the model has not heard. A run that can't go on, or goes on another time, hears nothing more. */
async function hear(run: AgentRun, { entries, append }: Progress, acted: End | null): Promise<boolean> {
  if (!run.between || acted?.kind === "stopped" || acted?.kind === "paused") return false;
  const heard = await run.between(entries);
  for (const entry of heard) await append(entry);
  return heard.length > 0;
}

/**
 * Does what the last reply asks for, as far as that was not done before. Null: the model is to be asked again, as after a reply
 * that was to be the last and that something was said to.
 */
async function actOnReply(run: AgentRun, { entries, append }: Progress): Promise<End | null> {
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
    const result = begun
      ? failure("The factory was restarted while this ran. It may or may not have taken effect: look before you repeat it.")
      : await callTool(run, use, { stop, key: `${run.key}-${step}-${index + 1}`, entries, append });
    await append({ type: "result", toolUseId: use.id, isError: false, ...result });
  }
  if (entries.at(-1)?.type === "user") return null;
  const end = entries.slice(at + 1).find((entry) => entry.type === "result" && entry.end);
  return end?.type === "result" && end.end ? { kind: "finished", ...end.end } : null;
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
    return await tool.run(input.data, { key: call.key, signal: run.signal, stillShown: (what) => isShown(call.entries, what) });
  } catch (error) {
    // Nobody knows whether it was done. Told so, the model would ask again, which is another call; the run breaks off instead, and
    // goes on from its transcript with the same call under the same key.
    if (tool.repeatable && hasCode(error, "store_unavailable")) throw error;
    return failure(publicMessage(error));
  }
}

function isShown(entries: readonly Entry[], what: string): boolean {
  return entries.some((entry) => entry.type === "result" && entry.shows === what);
}

function failure(content: string): ToolResult {
  return { content, isError: true };
}

function refusal(content: string) {
  return { content, isError: true, refused: true } as const;
}

/** What a failed model call means for the run. Anything but a failure of the model is thrown on. */
function modelFailure(run: AgentRun, error: unknown): End {
  if (run.signal.aborted) return stopped("interrupted", abortReason(run.signal));
  if (isOverBudget(error)) return stopped(limitOf(error.budget), publicMessage(error), error.budget);
  const code = error instanceof UacError ? modelFailures[error.code] : undefined;
  if (!code) throw error;
  return stopped(code, `the model could not be used: ${publicMessage(error)}`);
}

const modelFailures: Partial<Record<ErrorCode, string>> = {
  llm_unreachable: "model_unreachable",
  llm_refused: "model_refused",
  llm_incomplete: "model_garbage",
  limit_reached: "model_unreachable",
};

function isOverBudget(error: unknown): error is OverBudget {
  return hasCode(error, "over_budget") && "budget" in error;
}

/** The word for a run that ended at this budget. */
export function limitOf({ unit }: Pick<Budget, "unit">): "cost_limit" | "token_limit" {
  return unit === "usd" ? "cost_limit" : "token_limit";
}

function overLimit(run: AgentRun, entries: readonly Entry[]): End | null {
  const { limits } = run;
  const total = run.spent();
  const ended = run.endedBy?.();
  if (run.signal.aborted) return stopped("interrupted", abortReason(run.signal));
  if (ended) return stopped(ended.code, ended.reason);
  if (stepsOf(entries) >= limits.steps) return stopped("step_limit", `it used all of its ${limits.steps} steps`);
  // What stands still at a budget may be let further than its limits: its meter says where it ends.
  if (!run.atCap && total.cost >= limits.usd) return stopped("cost_limit", "it used up its budget");
  if (!run.atCap && total.tokens >= limits.tokens) return stopped("token_limit", `it used all of its ${limits.tokens} tokens`);
  if (run.clock.now() >= run.deadline()) return stopped("time_limit", "its time was up");
  if (isStuck(entries)) return stopped("stuck", `it made the same call ${maxRepeats} times in a row without getting further`);
  if (formatErrors(entries) >= maxFormatErrors) {
    return stopped("format_errors", `the model's replies were unusable ${maxFormatErrors} times in a row`);
  }
  return null;
}

function stepsOf(entries: readonly Entry[]): number {
  return entries.filter((entry) => entry.type === "assistant").length;
}

/** How many replies at the end were errors of form: nothing but refused calls, or no call at all. */
function formatErrors(entries: readonly Entry[]): number {
  let count = 0;
  for (const entry of entries.toReversed()) {
    if (entry.type === "result" && !entry.refused) break;
    if (entry.type === "assistant") count += 1;
  }
  return count;
}

/** Some models give an id twice, or none: a result belongs to one call, so a known id is made one of its own. */
function withOwnIds(content: readonly Block[], entries: readonly Entry[]): Block[] {
  const known = new Set(entries.flatMap((entry) => (entry.type === "assistant" ? toolUses(entry.content).map((use) => use.id) : [])));
  return content.map((block) => {
    if (block.type !== "tool_use") return block;
    let { id } = block;
    while (id === "" || known.has(id)) id = `${id}_${known.size}`;
    known.add(id);
    return { ...block, id };
  });
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
      for (const block of entry.content) say("assistant", block);
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
