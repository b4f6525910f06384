import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ScriptedReply } from "#adapters/llm/scripted.ts";
import { UacError } from "#core/errors.ts";
import { defaultLimits } from "#core/limits.ts";
import { runAgent } from "#factory/agent-loop.ts";
import { finishTool } from "#factory/finish.ts";
import { toMessages } from "#factory/shown.ts";
import type { Tool } from "#ports/tool.ts";
import type { Entry } from "#ports/transcript.ts";
import { agentBench, Cut, finish, memoryTranscript, spyTool, use } from "./agent.ts";

const finishing = finishTool as Tool;

describe("how a run ends", () => {
  it("answers where it may", async () => {
    const { start } = agentBench(["Hello."], { mayAnswer: true });
    expect(await start()).toEqual({ kind: "answered", text: "Hello.", steps: 1 });
  });

  it("answers with nothing rather than hang", async () => {
    expect(await agentBench([""], { mayAnswer: true }).start()).toEqual({ kind: "answered", text: "", steps: 1 });
  });

  it("finishes as the finish tool says, after the other calls of that reply", async () => {
    const spy = spyTool("look");
    const reply = { tools: [use("finish", { status: "failed", summary: "No." }), use("look")] };
    const { start } = agentBench([reply], { tools: [finishing, spy.tool] });
    expect(await start()).toEqual({ kind: "finished", status: "failed", summary: "No.", steps: 1 });
    expect(spy.calls).toHaveLength(1);
  });

  it.each([
    ["step_limit", { steps: 3 }, 3],
    ["cost_limit", { usd: 250_000 }, 2],
    ["token_limit", { tokens: 300 }, 3],
  ])("stops at its %s", async (code, limit, steps) => {
    // A call is 100 tokens in and 10 out: 150,000 nano-dollars.
    const spy = spyTool("look");
    const script = (_: unknown, call: number) => ({ tools: [use("look", { n: call })] });
    const end = await agentBench(script, { tools: [spy.tool], limits: { ...defaultLimits, ...limit } }).start();
    expect(end).toMatchObject({ kind: "stopped", code, steps });
    expect(spy.calls).toHaveLength(steps);
  });

  it("stops when its time is up", async () => {
    const bench = agentBench(
      async () => {
        await bench.clock.advance(30_000);
        return { tools: [use("look")] };
      },
      { tools: [spyTool("look").tool] },
    );
    expect(await bench.start()).toMatchObject({ kind: "stopped", code: "time_limit", steps: 2 });
  });

  it.each([
    ["waits until its time is up where others hold its budget", {}, { code: "time_limit" }],
    ["goes on where they let go of it", { calls: 3 }, { kind: "finished" }],
    ["is over where nobody can wait", { atCap: undefined }, { code: "model_unreachable" }],
  ])("%s", async (_, { calls = 1000, ...changed }: { calls?: number; atCap?: undefined }, expected) => {
    const held = new UacError("limit_reached", "Other calls held the budget for 75 s.");
    const atCap = "atCap" in changed ? {} : { atCap: async () => {} };
    const bench = agentBench((_, call) => (call < calls ? held : finish()), { tools: [finishing], ...atCap });
    let over = false;
    const end = bench.start().finally(() => {
      over = true;
    });
    while (!over) await bench.clock.advance(1000);
    expect(await end).toMatchObject(expected);
  });

  it("stops before the first call when it was aborted already", async () => {
    const { start, llm } = agentBench([], { signal: AbortSignal.abort("the owner stopped it") });
    expect(await start()).toEqual({ kind: "stopped", code: "interrupted", reason: "the owner stopped it", steps: 0 });
    expect(llm.requests).toHaveLength(0);
  });

  it("tells why it was aborted during a model call, if that is ours to tell", async () => {
    const abort = new AbortController();
    const script = () => {
      abort.abort(new UacError("limit_reached", "its time was up"));
      throw new UacError("interrupted", "The model call was cancelled.");
    };
    expect(await agentBench(script, { signal: abort.signal }).start()).toMatchObject({ code: "interrupted", reason: "its time was up" });
  });

  it("runs no further tool once it was aborted", async () => {
    const abort = new AbortController();
    const first = spyTool("first", {
      answer() {
        abort.abort("stop");
        return "done";
      },
    });
    const second = spyTool("second");
    const { start } = agentBench([{ tools: [use("first"), use("second")] }], { tools: [first.tool, second.tool], signal: abort.signal });
    expect(await start()).toMatchObject({ kind: "stopped", code: "interrupted" });
    expect(second.calls).toEqual([]);
  });

  it.each([
    ["llm_unreachable", "model_unreachable"],
    ["llm_refused", "model_refused"],
    ["llm_incomplete", "model_garbage"],
  ] as const)("ends %s as %s, with the reason", async (error, code) => {
    const end = await agentBench([new UacError(error, "The provider is on holiday.")]).start();
    expect(end).toMatchObject({ kind: "stopped", code, reason: expect.stringContaining("The provider is on holiday."), steps: 0 });
  });

  it("rejects where not the model failed but the record of it", async () => {
    const { run } = agentBench([finish()]);
    const away = new UacError("store_unavailable", "away");
    const failing = { ...run, llm: { ...run.llm, complete: () => Promise.reject(away) } };
    await expect(runAgent(failing)).rejects.toBe(away);
    const { start } = agentBench([finish()], { transcript: memoryTranscript([], 1) });
    await expect(start()).rejects.toBeInstanceOf(Cut);
  });

  it("breaks off at a call of which nobody knows whether it was done, and makes it again under its key", async () => {
    const away = new UacError("store_unavailable", "away");
    const order = spyTool("order", {
      answer: () => {
        if (order.calls.length === 1) throw away;
        return "ordered";
      },
    });
    const bench = agentBench([{ tools: [use("order")] }, finish()], { tools: [finishing, order.tool] });
    await expect(bench.start()).rejects.toBe(away);
    expect(await bench.start()).toMatchObject({ kind: "finished", steps: 2 });
    expect(order.calls).toHaveLength(2);
    expect(order.calls[0]?.key).toBe(order.calls[1]?.key);
  });

  it("ends at a refusal, and runs nothing of it", async () => {
    const spy = spyTool("look");
    const { start } = agentBench([{ tools: [use("look")], stop: "refusal" }], { tools: [spy.tool] });
    expect(await start()).toMatchObject({ kind: "stopped", code: "model_refused" });
    expect(spy.calls).toEqual([]);
  });

  it("is told when it goes round in circles, and stops when that does not help", async () => {
    const look = spyTool("look", { answer: () => "the same" });
    const { start, llm } = agentBench(() => ({ tools: [use("look")] }), { tools: [look.tool] });
    expect(await start()).toMatchObject({ kind: "stopped", code: "stuck", steps: 5 });
    const told = llm.requests.map(({ messages }) => JSON.stringify(messages.at(-1)).includes("the same call 3 times in a row"));
    expect(told).toEqual([false, false, false, true, false]);
  });

  it("takes no other duration for another result", async () => {
    const answer = () => `(${look.calls.length}.5ms) duration_ms ${look.calls.length}\n[exit 1, 0.${look.calls.length} s]`;
    const look = spyTool("look", { answer });
    const { start } = agentBench(() => ({ tools: [use("look")] }), { tools: [look.tool] });
    expect(await start()).toMatchObject({ kind: "stopped", code: "stuck", steps: 5 });
  });

  it("is not stuck while the results differ", async () => {
    const look = spyTool("look", { answer: () => `line ${look.calls.length}` });
    const { start } = agentBench((_, call) => (call < 12 ? { tools: [use("look")] } : finish()), { tools: [look.tool, finishing] });
    expect(await start()).toMatchObject({ kind: "finished", steps: 13 });
  });
});

describe("replies that are no legal call", () => {
  const spy = spyTool("look");
  const tools = [finishing, spy.tool];

  it.each<[string, ScriptedReply, string]>([
    ["an unknown tool", { tools: [use("fly")] }, "There is no tool fly. There are: finish, look."],
    ["input that does not fit", { tools: [use("look", { n: "one" })] }, "That input does not fit look"],
    ["an unknown key in the input", { tools: [use("look", { n: 1, force: true })] }, "That input does not fit look"],
    ["a call that was cut off", { tools: [use("look")], stop: "max_tokens" }, "was cut off at its length limit"],
  ])("tells the model of %s, and ends after three", async (_, reply, told) => {
    spy.calls.length = 0;
    const bench = agentBench(() => reply, { tools });
    expect(await bench.start()).toMatchObject({ kind: "stopped", code: "format_errors", steps: 3 });
    expect(bench.llm.requests[1]?.messages.at(-1)?.content).toEqual([
      expect.objectContaining({ type: "tool_result", isError: true, content: expect.stringContaining(told) }),
    ]);
    expect(spy.calls).toEqual([]);
  });

  it("asks for a call where there was none, and ends after three", async () => {
    const bench = agentBench(["I think", "", "so"], { tools });
    expect(await bench.start()).toMatchObject({ kind: "stopped", code: "stuck", reason: expect.stringContaining("talked"), steps: 3 });
    expect(bench.llm.requests[1]?.messages.at(-1)).toMatchObject({ role: "user", content: [{ text: expect.stringContaining("finish") }] });
  });

  it("forgives two in a row", async () => {
    const script = ["Hm.", { tools: [use("fly")] }, { tools: [use("look")] }, "Hm.", { tools: [use("fly"), use("look")] }, "Hm.", finish()];
    expect(await agentBench(script, { tools }).start()).toMatchObject({ kind: "finished", steps: 7 });
  });

  it("counts a tool that fails as a legal call", async () => {
    const broken = spyTool("broken", {
      answer: ({ n }) => {
        throw n === 1 ? new UacError("not_found", "There is no such file.") : new Error("secret inside");
      },
    });
    const bench = agentBench([1, 2, 1, 2].map((n) => ({ tools: [use("broken", { n })] })).concat(finish() as never), {
      tools: [finishing, broken.tool],
    });
    expect(await bench.start()).toMatchObject({ kind: "finished" });
    const told = bench.llm.requests
      .at(-1)
      ?.messages.flatMap((m) => m.content.flatMap((b) => (b.type === "tool_result" ? [b.content] : [])));
    expect(told).toContain("There is no such file.");
    expect(JSON.stringify(told)).not.toContain("secret inside");
  });
});

describe("what the model is shown", () => {
  it("has the tools by name, and their input as JSON Schema", async () => {
    const bench = agentBench([finish()], { tools: [spyTool("zoom").tool, finishing, spyTool("apply").tool] });
    await bench.start();
    expect(bench.llm.requests[0]?.tools.map((tool) => tool.name)).toEqual(["apply", "finish", "zoom"]);
    expect(bench.llm.requests[0]?.tools[0]?.inputSchema).toEqual({
      type: "object",
      properties: { n: { type: "integer", minimum: -9007199254740991, maximum: 9007199254740991 } },
      required: ["n"],
      additionalProperties: false,
    });
  });

  it("has the results of one reply together, in the order of its calls", async () => {
    const bench = agentBench([{ text: "Both.", tools: [use("look", { n: 2 }), use("fly"), use("look", { n: 1 })] }, finish()], {
      tools: [finishing, spyTool("look").tool],
    });
    await bench.start();
    const messages = bench.llm.requests[1]?.messages ?? [];
    expect(messages.map((message) => message.role)).toEqual(["user", "assistant", "user"]);
    expect(messages[2]?.content).toMatchObject([
      { type: "tool_result", id: "call_0_0", content: "look 2", isError: false },
      { type: "tool_result", id: "call_0_1", isError: true },
      { type: "tool_result", id: "call_0_2", content: "look 1", isError: false },
    ]);
  });

  it("alternates after an empty reply too", () => {
    const entries: Entry[] = [
      { type: "user", text: "Go." },
      { type: "assistant", content: [], stop: "end" },
      { type: "user", text: "Nothing was called." },
    ];
    expect(toMessages(entries)).toEqual([
      { role: "user", content: [{ type: "text", text: "Go." }] },
      { role: "assistant", content: [] },
      { role: "user", content: [{ type: "text", text: "Nothing was called." }] },
    ]);
  });

  it("is the same at every step up to what is new: a prefix that can be cached", async () => {
    const preface = [{ role: "user" as const, content: [{ type: "text" as const, text: "Earlier." }] }];
    const bench = agentBench((_, call) => (call < 4 ? { tools: [use("look", { n: call })] } : finish()), {
      tools: [finishing, spyTool("look").tool],
      preface,
    });
    await bench.start();
    const requests = bench.llm.requests.map((request) => JSON.stringify(request.messages).slice(0, -1));
    for (const [i, request] of requests.slice(1).entries()) expect(request.startsWith(requests[i] ?? "?")).toBe(true);
  });

  it("tells each step in a line", async () => {
    const bench = agentBench(
      [{ text: "Let me see.", tools: [use("look")] }, "Hm.", { tools: [use("fly", { path: "a.ts\nb" })] }, finish()],
      {
        tools: [finishing, spyTool("look").tool],
      },
    );
    await bench.start();
    expect(bench.steps).toEqual(["1 look", "2 Hm.", "3 fly a.ts", "4 finish done"]);
  });
});

describe("calls of tools", () => {
  it("have keys that say where in the run they are, whatever ids the model gives", async () => {
    const spy = spyTool("look");
    const same = { tools: [use("look", { n: 1 }, "call"), use("look", { n: 2 }, "call")] };
    const bench = agentBench([same, same, { tools: [use("look", { n: 3 }, "")] }, finish()], { tools: [finishing, spy.tool] });
    expect(await bench.start()).toMatchObject({ kind: "finished" });
    expect(spy.calls.map((call) => call.key)).toEqual(["run-1-1", "run-1-2", "run-2-1", "run-2-2", "run-3-1"]);
    const ids = toMessages((await bench.run.transcript.load()) as Entry[])
      .flatMap((message) => message.content)
      .flatMap((block) => (block.type === "tool_use" ? [block.id] : []));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).not.toContain("");
  });
});

describe("a run that is cut off", () => {
  /** Fresh tools; `odd` calls of `once` must never run twice. */
  const parts = () => {
    const again = spyTool("again");
    const once = spyTool("once", { repeatable: false });
    return { again, once, tools: [finishing, again.tool, once.tool] };
  };
  const runs: Record<string, { script: ScriptedReply[]; mayAnswer: boolean }> = {
    "tools of both kinds, then finish": {
      script: [
        { text: "First.", tools: [use("again", { n: 1 }), use("once", { n: 2 }), use("fly"), use("again", { n: 3 })] },
        "I forgot to call.",
        { tools: [use("once", { n: 4 })] },
        { tools: [use("once", { n: 5 })], stop: "max_tokens" },
        finish(),
      ],
      mayAnswer: false,
    },
    "an answer": { script: [{ tools: [use("once", { n: 1 })] }, "Done."], mayAnswer: true },
    "a refusal": { script: [{ tools: [use("again")] }, { text: "No.", stop: "refusal" }], mayAnswer: false },
    "garbage to the end": { script: ["a", { tools: [use("fly")] }, "c"], mayAnswer: false },
  };
  /** What the model says next follows from how often it has spoken: so does a resumed one. */
  const script = (replies: readonly ScriptedReply[]) => (request: { messages: readonly { role: string }[] }) =>
    replies[request.messages.filter((message) => message.role === "assistant").length] ?? new Error("too far");

  for (const [name, { script: replies, mayAnswer }] of Object.entries(runs)) {
    it(`goes on from every point to the same end: ${name}`, async () => {
      const whole = memoryTranscript();
      const first = parts();
      const end = await agentBench(script(replies), { transcript: whole, tools: first.tools, mayAnswer }).start();
      expect(whole.entries.length).toBeGreaterThan(3);

      for (let at = 0; at <= whole.entries.length; at += 1) {
        const entries: Entry[] = [];
        const { again, once, tools } = parts();
        const run = (most: number) =>
          agentBench(script(replies), { transcript: memoryTranscript(entries, most), tools, mayAnswer }).start();
        if (at < whole.entries.length) await expect(run(at), `cut at ${at}`).rejects.toBeInstanceOf(Cut);
        expect(await run(Number.POSITIVE_INFINITY), `resumed at ${at}`).toEqual(end);
        for (const n of [1, 2, 4, 5])
          expect(once.calls.filter((call) => call.n === n).length, `once ${n}, cut at ${at}`).toBeLessThanOrEqual(1);
        const prompts = (log: readonly Entry[]) => log.filter((entry) => entry.type === "user").length;
        expect(prompts(entries), `cut at ${at}`).toBe(prompts(whole.entries));
        for (const call of again.calls) expect(first.again.calls, `cut at ${at}`).toContainEqual(call);
        expectWellFormed(entries);
      }
    });
  }

  it("tells the model that nobody knows what became of a call that must not run twice", async () => {
    const { once, tools } = parts();
    const entries: Entry[] = [
      { type: "user", text: "Do it." },
      { type: "assistant", content: [{ type: "tool_use", id: "a", name: "once", input: { n: 1 } }], stop: "tool_use" },
      { type: "intent", toolUseId: "a", name: "once" },
    ];
    const bench = agentBench([finish()], { transcript: memoryTranscript(entries), tools });
    await bench.start();
    expect(once.calls).toEqual([]);
    expect(bench.llm.requests[0]?.messages.at(-1)?.content).toMatchObject([
      { isError: true, content: expect.stringContaining("look before") },
    ]);
  });

  it.each([
    ["tells what a tool found out about its call", async (key: string) => ({ content: `half of ${key} was done` }), "half of "],
    ["says nobody knows where the tool can't find out", () => Promise.reject(new Error("no disk")), "look before"],
  ])("%s", async (_, found, told) => {
    const { once } = parts();
    const keys: string[] = [];
    const afterRestart = (__: unknown, { key }: { key: string }) => {
      keys.push(key);
      return found(key);
    };
    const entries: Entry[] = [{ type: "user", text: "Do it." }];
    const script = [{ tools: [use("once", { n: 1 })] }, finish()];
    const tools = [finishing, { ...once.tool, afterRestart }];
    await expect(agentBench(script, { transcript: memoryTranscript(entries, 3), tools }).start()).rejects.toBeInstanceOf(Cut);
    const bench = agentBench([finish()], { transcript: memoryTranscript(entries), tools });
    await bench.start();
    expect(keys).toEqual(once.calls.map(({ key }) => key));
    expect(once.calls).toHaveLength(1);
    expect(JSON.stringify(bench.llm.requests[0]?.messages.at(-1))).toContain(told);
  });

  it("asks no model for what it has been told", async () => {
    const entries: Entry[] = [
      { type: "user", text: "Do it." },
      { type: "assistant", content: [{ type: "text", text: "Done." }], stop: "end" },
    ];
    const bench = agentBench([], { transcript: memoryTranscript(entries), mayAnswer: true });
    expect(await bench.start()).toEqual({ kind: "answered", text: "Done.", steps: 1 });
  });
});

describe("what is said between two steps", () => {
  const said = (id: string): Entry => ({ type: "user", text: `heed ${id}`, control: id });
  const heardIn = (entries: readonly Entry[]) => entries.flatMap((entry) => (entry.type === "user" ? (entry.control ?? []) : []));
  /** Hands out what the transcript has not, as it is said: `at` counts the replies so far. */
  const speaker = (words: readonly { id: string; at: number }[]) => async (entries: readonly Entry[]) => {
    const replies = entries.filter((entry) => entry.type === "assistant").length;
    const heard = heardIn(entries);
    return words.filter(({ id, at }) => at <= replies && !heard.includes(id)).map(({ id }) => said(id));
  };
  const tools = () => [finishing, spyTool("look").tool];
  /** Ends as soon as nothing new was said since its last reply. */
  const script = ({ messages }: { messages: readonly { role: string; content: unknown }[] }): ScriptedReply =>
    messages.filter(({ role }) => role === "assistant").length < 2 ? { tools: [use("look", { n: messages.length })] } : finish();

  it("is heard before the next reply, the first one too", async () => {
    const bench = agentBench(script, { tools: tools(), between: speaker([{ id: "a", at: 0 }]) });
    expect(await bench.start()).toMatchObject({ kind: "finished" });
    expect(bench.llm.requests[0]?.messages).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "Do it." },
          { type: "text", text: "heed a" },
        ],
      },
    ]);
  });

  it.each([
    ["finish", finish(), false],
    ["an answer", "Done.", true],
  ] as const)("keeps a run going that was about to end with %s", async (_, last, mayAnswer) => {
    const bench = agentBench(() => last, { tools: tools(), mayAnswer, between: speaker([{ id: "a", at: 1 }]) });
    expect(await bench.start()).toMatchObject({ steps: 2 });
    expect(JSON.stringify(bench.llm.requests[1]?.messages.at(-1))).toContain("heed a");
  });

  it("is taken in once and in order, wherever the run is killed", async () => {
    const words = [
      { id: "a", at: 0 },
      { id: "b", at: 1 },
      { id: "c", at: 1 },
      { id: "d", at: 3 },
    ];
    const whole = memoryTranscript();
    const end = await agentBench(script, { transcript: whole, tools: tools(), between: speaker(words) }).start();
    expect(heardIn(whole.entries)).toEqual(["a", "b", "c", "d"]);
    for (let at = 0; at < whole.entries.length; at += 1) {
      const entries: Entry[] = [];
      const run = (most: number) =>
        agentBench(script, { transcript: memoryTranscript(entries, most), tools: tools(), between: speaker(words) }).start();
      await expect(run(at), `cut at ${at}`).rejects.toBeInstanceOf(Cut);
      expect(await run(Number.POSITIVE_INFINITY), `resumed at ${at}`).toEqual(end);
      expect(heardIn(entries), `cut at ${at}`).toEqual(["a", "b", "c", "d"]);
      expect(
        entries.map((entry) => entry.type),
        `cut at ${at}`,
      ).toEqual(whole.entries.map((entry) => entry.type));
      expectWellFormed(entries);
    }
  });

  it("is waited for, and the time limit moves with it", async () => {
    let still = 0;
    const bench = agentBench(script, {
      tools: tools(),
      deadline: () => 1_060_000 + still,
      between: async () => {
        await bench.clock.advance(100_000);
        still += 100_000;
        return [];
      },
    });
    expect(await bench.start()).toMatchObject({ kind: "finished", steps: 3 });
  });

  it("is not asked for by a run that can't go on", async () => {
    let asked = 0;
    const between = async () => {
      asked += 1;
      return [];
    };
    await agentBench([{ text: "No.", stop: "refusal" }], { tools: tools(), between }).start();
    expect(asked).toBe(1);
  });
});

const anyReply: fc.Arbitrary<ScriptedReply> = fc.oneof(
  fc.string({ maxLength: 5 }),
  fc.constantFrom<ScriptedReply>(
    new UacError("llm_unreachable", "gone"),
    new UacError("llm_incomplete", "half"),
    { text: "No.", stop: "refusal" },
    { tools: [], stop: "tool_use" },
  ),
  fc.record({
    text: fc.string({ maxLength: 3 }),
    tools: fc.array(
      fc.record(
        {
          name: fc.constantFrom("look", "once", "finish", "fly", ""),
          input: fc.oneof(
            fc.record({ n: fc.integer() }),
            fc.constant({ status: "done", summary: "ok" }),
            fc.jsonValue({ maxDepth: 2 }),
            fc.constant(undefined),
          ),
          id: fc.constantFrom("a", "b", "", "a_1"),
        },
        { requiredKeys: ["name", "input"] },
      ),
      { maxLength: 4 },
    ),
    stop: fc.constantFrom("end", "tool_use", "max_tokens", "refusal"),
  }) as fc.Arbitrary<ScriptedReply>,
);

it("ends whatever the model says, and the transcript stays well-formed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyReply, { minLength: 1, maxLength: 12 }), fc.boolean(), async (replies, mayAnswer) => {
      const transcript = memoryTranscript();
      const tools = [finishing, spyTool("look").tool, spyTool("once", { repeatable: false }).tool];
      const limits = { ...defaultLimits, steps: 30 };
      const script = (_: unknown, call: number) => replies[call % replies.length] ?? "";
      const end = await agentBench(script, { transcript, tools, mayAnswer, limits }).start();
      expect(end.steps).toBeLessThanOrEqual(30);
      if (end.kind === "stopped") expect(end.reason).not.toBe("");
      expectWellFormed(transcript.entries);
    }),
    { numRuns: 300 },
  );
});

/** Each call has exactly one result before the next reply, each id is one call's, and every result belongs to a call. */
function expectWellFormed(entries: readonly Entry[]) {
  const seen = new Set<string>();
  let open: string[] = [];
  for (const entry of entries) {
    if (entry.type === "assistant") {
      expect(open).toEqual([]);
      open = entry.content.flatMap((block) => (block.type === "tool_use" ? [block.id] : []));
      for (const id of open) {
        expect(seen.has(id)).toBe(false);
        seen.add(id);
      }
    }
    if (entry.type === "result") {
      expect(open).toContain(entry.toolUseId);
      open = open.filter((id) => id !== entry.toolUseId);
    }
    if (entry.type === "user") expect(open).toEqual([]);
  }
}
