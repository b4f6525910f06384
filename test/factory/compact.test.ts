/** A conversation that fills its model's window goes on in less of it, over kills and whatever the provider says, or ends with a reason. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ScriptedReply } from "#adapters/llm/scripted.ts";
import { UacError } from "#core/errors.ts";
import { defaultLimits } from "#core/limits.ts";
import type { AgentRun } from "#factory/agent-run.ts";
import { finishTool } from "#factory/finish.ts";
import { isShown, toMessages } from "#factory/shown.ts";
import { windowOf } from "#factory/window.ts";
import type { Message, ModelRequest } from "#ports/llm.ts";
import type { Tool } from "#ports/tool.ts";
import type { Entry } from "#ports/transcript.ts";
import { agentBench, Cut, finish, memoryTranscript, spyTool, use } from "./agent.ts";

const window = 8000;
/** As a provider counts: four characters a token. */
const count = ({ system, tools, messages }: Pick<ModelRequest, "system" | "tools" | "messages">) =>
  Math.ceil(JSON.stringify([system, tools, messages]).length / 4);
const isSummary = (request: ModelRequest) => request.system.startsWith("You keep the record");
const overflow = () => Object.assign(new UacError("llm_refused", "prompt is too long"), { overflow: true });
const blocks = (messages: readonly Message[]) => messages.flatMap(({ content }) => content);
const said = (messages: readonly Message[]) => JSON.stringify(messages);

interface Given {
  /** Characters that each call brings. */
  output?: number;
  steps?: number;
  entries?: Entry[];
  most?: number;
  /** What the provider holds, if it is not what is told. */
  holds?: number;
  /** Answers with no more than it holds, and counts that. */
  silent?: boolean;
  summary?: ScriptedReply;
  told?: number;
  run?: Omit<Partial<AgentRun>, "spent">;
}

/** Looks until it has done so `steps` times, with a provider that refuses what it can't hold. */
function bench({ output = 3000, steps = 24, entries = [], most, holds = window, silent, summary, told = window, run }: Given = {}) {
  const look = spyTool("look", { answer: ({ n }) => `${n}:${"x".repeat(output)}` });
  const shows: Tool = {
    ...look.tool,
    run: async (input, call) => ({ ...(await look.tool.run(input, call)), shows: `look ${(input as { n: number }).n}` }),
  };
  const script = (request: ModelRequest): ScriptedReply => {
    const input = count(request);
    if (input > holds && !silent) throw overflow();
    const usage = { uncachedIn: Math.min(input, holds), output: 20 };
    if (isSummary(request)) return summary ?? { text: `Looked; went as far as ${Math.max(...numbersIn(request.messages))}.`, usage };
    const next = Math.max(0, ...look.calls.map(({ n }) => n), ...numbersIn(request.messages)) + 1;
    if (next > steps) return { ...finish(), usage };
    return { text: `thought ${next}: ${"t".repeat(900)}`, tools: [use("look", { n: next }, `look_${next}`)], usage };
  };
  const transcript = memoryTranscript(entries, most);
  const made = agentBench((request) => script(request), {
    tools: [finishTool as Tool, shows],
    transcript,
    prompt: "The task: look.",
    ...run,
  });
  return { ...made, look, transcript, start: () => made.startWith({ window: told }) };
}

/** The last that was looked at, as the conversation tells. */
function numbersIn(messages: readonly Message[]): number[] {
  return blocks(messages).flatMap((block) => {
    if (block.type === "tool_use") return [(block.input as { n: number }).n];
    if (block.type !== "text") return [];
    return [...block.text.matchAll(/as far as (\d+)|Called look: {"n":(\d+)}/g)].map(([, done, called]) => Number(done ?? called));
  });
}

const compactions = (entries: readonly Entry[]) => entries.filter((entry) => entry.type === "compaction");

/** No call without its result or the other way round, roles in turn, the task first. */
function expectWhole(messages: readonly Message[]) {
  expect(said(messages.slice(0, 1))).toContain("The task: look.");
  expect(messages.map(({ role }) => role)).toEqual(messages.map((_, i) => (i % 2 === 0 ? "user" : "assistant")));
  for (const [i, { role, content }] of messages.entries()) {
    const uses = content.flatMap((block) => (block.type === "tool_use" ? [block.id] : []));
    const results = (messages[i + 1]?.content ?? []).flatMap((block) => (block.type === "tool_result" ? [block.id] : []));
    if (role === "assistant") expect(results).toEqual(uses);
  }
}

describe("a conversation that fills its window", () => {
  it("goes on with the older outputs left out, and what was done before in a summary", async () => {
    const { start, llm, look, transcript } = bench();
    expect(await start()).toMatchObject({ kind: "finished", steps: 25 });
    expect(look.calls.map(({ n }) => n)).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
    const made = compactions(transcript.entries);
    expect(made.length).toBeGreaterThan(1);
    expect(made.some(({ summary }) => summary === null)).toBe(true);
    expect(made.at(-1)?.summary).toContain("as far as");
    for (const request of llm.requests.filter((one) => !isSummary(one))) {
      expect(count(request)).toBeLessThanOrEqual(window);
      expectWhole(request.messages);
    }
  });

  it("keeps in the record all that is left out", async () => {
    const { start, transcript } = bench();
    await start();
    const results = transcript.entries.filter((entry) => entry.type === "result");
    expect(results).toHaveLength(25);
    for (const { content } of results.slice(0, 24)) expect(content.length).toBeGreaterThan(3000);
  });

  it("keeps what the owner said, word for word", async () => {
    const words: Entry = { type: "user", text: "And mind the gap.", control: "control_1" };
    const between = async (entries: readonly Entry[]) =>
      entries.length > 3 && !entries.some((entry) => entry.type === "user" && entry.control) ? [words] : [];
    const { start, llm } = bench({ run: { between } });
    expect(await start()).toMatchObject({ kind: "finished" });
    expect(said(llm.requests.at(-1)?.messages ?? [])).toContain("And mind the gap.");
    expect(said(llm.requests.at(-1)?.messages ?? [])).not.toContain('"n":2,');
  });

  it("says what of it stands no longer before the model", async () => {
    const { start, transcript } = bench();
    await start();
    const last = toMessages(transcript.entries);
    for (let n = 1; n <= 24; n += 1) expect([n, isShown(transcript.entries, `look ${n}`)]).toEqual([n, said(last).includes(`"${n}:xxx`)]);
    expect(isShown(transcript.entries, "look 24")).toBe(true);
    expect(isShown(transcript.entries, "look 1")).toBe(false);
  });

  it("ends where one output alone fills it, if even that did not help", async () => {
    const { start } = bench({ output: 200, run: { prompt: `The task: look. ${"y".repeat(40_000)}` } });
    expect(await start()).toMatchObject({ kind: "stopped", code: "context_full", reason: expect.stringContaining("8000 tokens") });
  });

  it("leaves out even the newest output where that alone fills it", async () => {
    const { start, look } = bench({ output: 30_000, steps: 3 });
    expect(await start()).toMatchObject({ kind: "finished" });
    expect(look.calls).toHaveLength(3);
  });

  it.each<[string, ScriptedReply]>([
    ["nothing", ""],
    ["a refusal", { text: "No.", stop: "refusal" }],
    ["that it is too long as well", overflow()],
  ])("ends where the summary is %s", async (_, summary) => {
    expect(await bench({ summary }).start()).toMatchObject({
      kind: "stopped",
      code: "context_full",
      reason: expect.stringContaining("no summary"),
    });
  });

  it("ends as any call does where the summary can't be had", async () => {
    const gone = new UacError("llm_unreachable", "gone");
    expect(await bench({ summary: gone }).start()).toMatchObject({ kind: "stopped", code: "model_unreachable" });
  });
});

describe("a window that is smaller than is thought", () => {
  it("is found by the provider's refusal", async () => {
    const { start, transcript, look } = bench({ told: 1_000_000 });
    expect(await start()).toMatchObject({ kind: "finished" });
    expect(look.calls).toHaveLength(24);
    expect(compactions(transcript.entries).length).toBeGreaterThan(0);
  });

  it("ends the run where the provider refuses whatever is sent: one go for each overflow", async () => {
    const { start, llm } = bench({ told: 1_000_000, holds: 100 });
    expect(await start()).toMatchObject({ kind: "stopped", code: "context_full" });
    expect(llm.requests.length).toBeLessThan(4);
  });

  it("ends the run where it is refused after it was shortened, too", async () => {
    const entries: Entry[] = [];
    await bench({ entries, most: 14 })
      .start()
      .catch(() => undefined);
    const { start, llm } = bench({ entries, told: 1_000_000, holds: 100, summary: "short" });
    expect(await start()).toMatchObject({ kind: "stopped", code: "context_full" });
    expect(llm.requests.length).toBeLessThan(5);
  });

  it("is found where the provider cuts without a word", async () => {
    const { start, transcript, look } = bench({ told: 1_000_000, silent: true });
    expect(await start()).toMatchObject({ kind: "finished" });
    expect(look.calls).toHaveLength(24);
    expect(compactions(transcript.entries).length).toBeGreaterThan(0);
    expect(windowOf(transcript.entries, 1_000_000)).toBeLessThanOrEqual(window);
  });

  it.each<[string, number, Entry[], number]>([
    ["hardly more is counted for much more", 30_100, [result(9000)], 30_000],
    ["less is counted", 20_000, [result(9000)], 30_000],
    ["as much more is counted as was added", 33_000, [result(9000)], 128_000],
    ["nothing was added", 30_010, [], 128_000],
    ["what was cached is not counted", 300, [result(9000)], 128_000],
    [
      "older thinking is dropped when the owner speaks",
      20_000,
      [result(9000), { type: "user", text: "Mind the gap.", control: "c" }],
      128_000,
    ],
    ["it was shortened", 20_000, [result(9000), { type: "compaction", from: 0, pruned: 1, summary: null }], 128_000],
  ])("is judged by what is counted: %s", (_, then, between, is) => {
    expect(windowOf([reply(30_000), ...between, reply(then)], 128_000)).toBe(is);
  });
});

const reply = (input: number): Entry => ({ type: "assistant", content: [], stop: "tool_use", used: { input, output: 10, model: "m" } });
function result(length: number): Entry {
  return { type: "result", toolUseId: "a", content: "x".repeat(length), isError: false };
}

it("goes on from every point to the same end", async () => {
  const whole = bench();
  const end = await whole.start();
  for (let at = 0; at < whole.transcript.entries.length; at += 1) {
    const entries: Entry[] = [];
    await expect(bench({ entries, most: at }).start(), `cut at ${at}`).rejects.toBeInstanceOf(Cut);
    expect(await bench({ entries }).start(), `resumed at ${at}`).toEqual(end);
    expect(entries.map(({ type }) => type)).toEqual(whole.transcript.entries.map(({ type }) => type));
    expect(compactions(entries)).toEqual(compactions(whole.transcript.entries));
  }
});

it("never sends more than fits, never parts a call from its result, and ends: whatever the sizes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        output: fc.integer({ min: 0, max: 40_000 }),
        steps: fc.integer({ min: 1, max: 14 }),
        told: fc.integer({ min: 4000, max: 20_000 }),
      }),
      async (given) => {
        const { start, llm } = bench({ ...given, run: { limits: { ...defaultLimits, steps: 40, tokens: 50_000_000 } } });
        const end = await start();
        expect(end.kind === "finished" || (end.kind === "stopped" && end.code === "context_full")).toBe(true);
        for (const request of llm.requests.filter((one) => !isSummary(one))) expectWhole(request.messages);
      },
    ),
    { numRuns: 60 },
  );
});
