/** An agent run on real parts: scripted model, meter, manual clock; a transcript in memory that can be cut anywhere. */
import * as z from "zod";
import { manualClock } from "#adapters/clock/manual.ts";
import { countingIds } from "#adapters/ids/counting.ts";
import { meteredLlm, type Script, scriptedLlm } from "#adapters/llm/scripted.ts";
import { pricesOf } from "#adapters/prices/index.ts";
import type { LedgerEntry } from "#core/ledger.ts";
import { defaultLimits } from "#core/limits.ts";
import { runAgent } from "#factory/agent-loop.ts";
import type { AgentRun } from "#factory/agent-run.ts";
import { finishTool } from "#factory/finish.ts";
import { metering } from "#factory/metering.ts";
import { waitingLine } from "#factory/waiting-line.ts";
import type { Spending } from "#ports/spending.ts";
import type { Tool, ToolCall } from "#ports/tool.ts";
import type { Entry, Transcript } from "#ports/transcript.ts";

/** Keeps what was appended; throws `Cut` instead of the append after `most` entries, as a kill would. */
export function memoryTranscript(entries: Entry[] = [], most = Number.POSITIVE_INFINITY): Transcript & { entries: Entry[] } {
  return {
    entries,
    load: async () => structuredClone(entries),
    async append(seq, entry) {
      if (entries.length >= most) throw new Cut();
      if (seq === entries.length) entries.push(structuredClone(entry));
    },
  };
}

export class Cut extends Error {}

/** A tool that remembers the calls it got, and answers with what `answer` says. */
export function spyTool(name: string, options: { repeatable?: boolean; answer?: (input: { n: number }, call: ToolCall) => string } = {}) {
  const calls: { n: number; key: string }[] = [];
  const tool: Tool<{ n: number }> = {
    name,
    description: `the tool ${name}`,
    input: z.strictObject({ n: z.int() }),
    needs: null,
    repeatable: options.repeatable ?? true,
    async run(input, call) {
      calls.push({ n: input.n, key: call.key });
      return { content: options.answer?.(input, call) ?? `${name} ${input.n}` };
    },
  };
  return { tool: tool as Tool, calls };
}

export const use = (name: string, input: unknown = { n: 1 }, id?: string) => ({ name, input, ...(id !== undefined && { id }) });
export const finish = (status: "done" | "failed" = "done", summary = "It works.") => ({ tools: [use("finish", { status, summary })] });

export function agentBench(script: Script, changed: Partial<AgentRun> & { spent?: LedgerEntry[] } = {}) {
  const clock = manualClock(1_000_000);
  const llm = scriptedLlm(script);
  const spent = changed.spent ?? [];
  const recorded: LedgerEntry[] = [];
  const spending: Spending = {
    reserve: async () => null,
    standings: async () => [],
    settle: async (entry) => void recorded.push(entry),
    release: async () => 0,
  };
  const line = waitingLine(clock, { most: 9, waitMs: 1000 });
  const meter = metering(
    { spending, clock, ids: countingIds(), priceOf: pricesOf(), line, life: "first", leaseMs: 1000 },
    { task: "task_1", epoch: 1, factory: "desk", persona: "Lisa", seat: "coder", bounds: () => [], spent },
  );
  const steps: string[] = [];
  const run: AgentRun = {
    system: "You are a test.",
    preface: [],
    prompt: "Do it.",
    tools: [finishTool as Tool],
    transcript: memoryTranscript(),
    llm: meteredLlm(llm, meter),
    spent: meter.total,
    limits: defaultLimits,
    deadline: () => 1_060_000,
    clock,
    signal: new AbortController().signal,
    mayAnswer: false,
    key: "run",
    onStep: (step, text) => void steps.push(`${step} ${text}`),
    ...changed,
  };
  return {
    ...{ run, llm, clock, recorded, steps },
    start: () => runAgent(run),
    /** With a model that holds so many tokens. */
    startWith: ({ window }: { window: number }) => runAgent({ ...run, llm: { ...run.llm, window } }),
  };
}
