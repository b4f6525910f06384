import { afterEach, describe, expect, it } from "vitest";
import { anthropicLlm } from "#adapters/llm/anthropic.ts";
import { llmFor, providers } from "#adapters/llm/index.ts";
import { scriptedLlm } from "#adapters/llm/scripted.ts";
import { UacError } from "#core/errors.ts";
import { startModel } from "../../dev/model/server.ts";
import { asking, fakeClock, llmContract } from "../contracts/llm.contract.ts";
import { against, type Event, end, start, startWire, stream, text, tool, whole } from "./llm-wire.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of closing.splice(0)) await server.close();
});

const fleetTool = {
  name: "fleet",
  description: "Who is there.",
  inputSchema: { type: "object", properties: {}, additionalProperties: false },
};
const delegateTool = { ...fleetTool, name: "delegate" };
const toolRequest = asking("What is the status of the fleet?", { tools: [delegateTool, fleetTool] });

llmContract("scripted", async () => ({
  talks: scriptedLlm(["I am a fake."]),
  calls: scriptedLlm([{ tools: [{ name: "fleet", input: {} }] }, "All is well."]),
  toolRequest,
}));

for (const name of Object.keys(providers)) {
  llmContract(`${name}, over HTTP`, async () => {
    const apiKey = crypto.randomUUID();
    const model = await startModel({ apiKey });
    closing.push(model);
    const llm = llmFor({ provider: name, baseUrl: model.url, apiKey, clock: fakeClock() });
    return { talks: llm, calls: llm, toolRequest };
  });
}

describe("headers", () => {
  it("sends an API key as x-api-key alone, with the current version", async () => {
    const { ask, wire } = await against([stream(whole)], { apiKey: "key-1" });
    await ask();
    const headers = wire.requests[0]?.headers;
    expect(headers).toMatchObject({ "x-api-key": "key-1", "anthropic-version": "2026-10-21" });
    expect(headers).not.toHaveProperty("authorization");
    expect(wire.requests[0]?.path).toBe("/v1/messages");
  });

  it("sends an auth token as a bearer token alone", async () => {
    const { ask, wire } = await against([stream(whole)], { authToken: "token-1", version: "2023-06-01" });
    await ask();
    expect(wire.requests[0]?.headers).toMatchObject({ authorization: "Bearer token-1", "anthropic-version": "2023-06-01" });
    expect(wire.requests[0]?.headers).not.toHaveProperty("x-api-key");
  });

  it("looks for no credential of its own", async () => {
    const wire = await startWire(stream(whole));
    closing.push(wire);
    const { ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN } = process.env;
    Object.assign(process.env, { ANTHROPIC_API_KEY: "from-env", ANTHROPIC_AUTH_TOKEN: "from-env" });
    try {
      await anthropicLlm({ provider: "anthropic", model: "m-1", baseUrl: wire.url, clock: fakeClock() }).complete(asking("Hi"));
    } finally {
      for (const [name, value] of Object.entries({ ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN })) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
    expect(JSON.stringify(wire.requests[0]?.headers)).not.toContain("from-env");
  });
});

describe("the request", () => {
  const request = asking("Go", {
    tools: [delegateTool, fleetTool],
    messages: [
      { role: "user", content: [{ type: "text", text: "Go" }] },
      {
        role: "assistant",
        content: [
          { type: "opaque", provider: "anthropic", raw: { type: "thinking", thinking: "Hm", signature: "s" } },
          { type: "opaque", provider: "kimi", raw: { type: "thinking", thinking: "Other", signature: "o" } },
          { type: "text", text: " " },
          { type: "tool_use", id: "t1", name: "fleet", input: {} },
          { type: "tool_use", id: "t2", name: "fleet", input: {} },
        ],
      },
      { role: "user", content: [{ type: "tool_result", id: "t1", content: "", isError: false }] },
      { role: "user", content: [{ type: "text", text: "Quick!" }] },
      { role: "user", content: [{ type: "tool_result", id: "t2", content: "no", isError: true }] },
      { role: "assistant", content: [] },
      { role: "user", content: [{ type: "text", text: "Well?" }] },
    ],
  });
  const mark = { cache_control: { type: "ephemeral" } };

  it("groups a step's results, replays its own opaque blocks alone, and marks four cache breakpoints", async () => {
    const { ask, wire } = await against([stream(whole)]);
    await ask(request);
    const body = wire.requests[0]?.body;
    expect(body).toMatchObject({ model: "m-1", max_tokens: 1024, stream: true });
    expect(body?.system).toEqual([{ type: "text", text: "You help.", ...mark }]);
    expect(body?.tools).toEqual([
      { name: "delegate", description: "Who is there.", input_schema: delegateTool.inputSchema },
      { name: "fleet", description: "Who is there.", input_schema: fleetTool.inputSchema, ...mark },
    ]);
    expect(body?.messages).toEqual([
      { role: "user", content: [{ type: "text", text: "Go" }] },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "Hm", signature: "s" },
          { type: "tool_use", id: "t1", name: "fleet", input: {} },
          { type: "tool_use", id: "t2", name: "fleet", input: {} },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "t1", content: "(empty)" },
          { type: "tool_result", tool_use_id: "t2", content: "no", is_error: true },
          { type: "text", text: "Quick!", ...mark },
        ],
      },
      { role: "assistant", content: [{ type: "text", text: "(nothing)" }] },
      { role: "user", content: [{ type: "text", text: "Well?", ...mark }] },
    ]);
    expect(JSON.stringify(body).split("cache_control")).toHaveLength(5);
  });

  it("sends neither sampling parameters nor empty parts", async () => {
    const { ask, wire } = await against([stream(whole)]);
    await ask(asking("Hi", { system: "" }));
    expect(Object.keys(wire.requests[0]?.body ?? {}).sort()).toEqual(["max_tokens", "messages", "model", "stream"]);
  });
});

describe("the reply", () => {
  const reply = async (...events: Event[]) => (await against([stream(events)])).ask();

  it("keeps thinking as it came", async () => {
    const delta = (delta: unknown): Event => ({ type: "content_block_delta", index: 0, delta });
    const { content } = await reply(
      start(),
      { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "", signature: "" } },
      delta({ type: "thinking_delta", thinking: "Let me " }),
      delta({ type: "thinking_delta", thinking: "see." }),
      delta({ type: "signature_delta", signature: "c2ln" }),
      { type: "content_block_stop", index: 0 },
      ...text(1, "Yes."),
      ...end(),
    );
    expect(content).toEqual([
      { type: "opaque", provider: "anthropic", raw: { type: "thinking", thinking: "Let me see.", signature: "c2ln" } },
      { type: "text", text: "Yes." },
    ]);
  });

  it("keys blocks by index, whatever the order and the gaps", async () => {
    const { content } = await reply(start(), ...text(7, "second"), ...text(2, "first"), ...end());
    expect(content).toEqual([
      { type: "text", text: "first" },
      { type: "text", text: "second" },
    ]);
  });

  it.each([
    ["at once", { input: { a: 1 } }, { a: 1 }],
    ["in pieces", { json: '{"a":1}' }, { a: 1 }],
    ["in pieces that override what came at once", { input: { a: 0 }, json: '{"a":1}' }, { a: 1 }],
    ["not at all", {}, {}],
    ["as an empty piece", { json: "" }, {}],
  ])("accepts a tool's input %s", async (_, given, input) => {
    const { content, stop } = await reply(start(), ...tool(0, given), ...end("tool_use"));
    expect(content).toEqual([{ type: "tool_use", id: "t_0", name: "look", input }]);
    expect(stop).toBe("tool_use");
  });

  it.each([
    ["end_turn", "end"],
    ["stop_sequence", "end"],
    ["max_tokens", "max_tokens"],
    ["model_context_window_exceeded", "max_tokens"],
    ["refusal", "refusal"],
    [null, "end"],
    ["something new", "end"],
  ])("knows the stop reason %s", async (reason, stop) => {
    expect(await reply(start(), ...text(0, "Hi"), ...end(reason))).toMatchObject({ stop });
  });

  it("believes the content when the stop reason contradicts it", async () => {
    expect(await reply(start(), ...tool(0, {}), ...end("end_turn"))).toMatchObject({ stop: "tool_use" });
    expect(await reply(start(), ...text(0, "Hi"), ...end("tool_use"))).toMatchObject({ stop: "end" });
  });

  it("drops the call that the length limit cut, and keeps what came before", async () => {
    const { content, stop } = await reply(start(), ...text(0, "I will"), ...tool(1, { json: '{"a":' }), ...end("max_tokens"));
    expect(stop).toBe("max_tokens");
    expect(content).toEqual([{ type: "text", text: "I will" }]);
  });

  it("reports the model that answered", async () => {
    expect(await reply(...whole)).toMatchObject({ model: "m-1" });
  });

  const full = { uncachedIn: 7, cacheRead: 20, write5m: 30, write1h: 5, output: 9, reasoning: 4 };
  const wire = {
    input_tokens: 7,
    cache_read_input_tokens: 20,
    cache_creation_input_tokens: 35,
    cache_creation: { ephemeral_5m_input_tokens: 30, ephemeral_1h_input_tokens: 5 },
  };
  const none = { uncachedIn: 0, cacheRead: 0, write5m: 0, write1h: 0, output: 0, reasoning: 0 };

  it.each([
    [
      "all of it",
      start({ ...wire, output_tokens: 1 }),
      { output_tokens: 9, output_tokens_details: { thinking_tokens: 4 } },
      full,
      "reported",
    ],
    [
      "null in the end what was told at first",
      start(wire),
      { output_tokens: 9, input_tokens: null, cache_read_input_tokens: null },
      { ...full, reasoning: 0 },
      "reported",
    ],
    [
      "zeros first and the truth later",
      start({ input_tokens: 0, output_tokens: 0 }),
      { input_tokens: 12, output_tokens: 3 },
      { ...none, uncachedIn: 12, output: 3 },
      "reported",
    ],
    [
      "no lifetimes of what was written",
      start({ cache_creation_input_tokens: 35 }),
      { output_tokens: 9 },
      { ...none, write5m: 35, output: 9 },
      "reported",
    ],
    ["input alone", start({ input_tokens: 7 }), null, { ...none, uncachedIn: 7 }, "partial"],
    ["nothing", start(null), null, none, "missing"],
    ["zeros only", start({ input_tokens: 0, output_tokens: 0 }), { output_tokens: 0 }, none, "missing"],
    ["nonsense", start({ input_tokens: "many", output_tokens: Number.NaN }), { output_tokens: -3 }, none, "missing"],
  ])("counts usage that tells %s", async (_, first, last, usage, usageSource) => {
    expect(await reply(first, ...text(0, "Hi"), ...end("end_turn", last))).toMatchObject({ usage, usageSource });
  });
});

describe("llmFor", () => {
  const clock = fakeClock();

  it.each([
    [{ provider: "openai", apiKey: "k" }, /no model provider openai.*anthropic, zai/],
    [{ provider: "toString", apiKey: "k" }, /no model provider/],
    [{ provider: "anthropic" }, /ANTHROPIC_API_KEY/],
    [{ provider: "scripted", apiKey: "k" }, /ANTHROPIC_BASE_URL/],
    [{ provider: "anthropic", apiKey: "k", baseUrl: "localhost" }, /not a URL/],
  ])("refuses %o and says what to set", (config, why) => {
    expect(() => llmFor({ ...config, clock })).toThrow(
      expect.objectContaining({ code: "bad_config", message: expect.stringMatching(why) }),
    );
  });

  it("sends a key as each provider wants it", async () => {
    for (const [name, provider] of Object.entries(providers)) {
      const wire = await startWire(stream(whole));
      closing.push(wire);
      const llm = llmFor({ provider: name, apiKey: "k", baseUrl: wire.url, clock });
      expect(llm).toMatchObject({ provider: name, model: provider.model });
      await llm.complete(asking("Hi"));
      const { headers } = wire.requests[0] ?? {};
      expect(headers?.["anthropic-version"]).toBe(provider.version);
      if (provider.keyHeader === "bearer") expect(headers?.authorization).toBe("Bearer k");
      else expect(headers?.["x-api-key"]).toBe("k");
    }
  });
});

describe("scriptedLlm", () => {
  it("remembers what it was asked, as it was", async () => {
    const llm = scriptedLlm(["One", new UacError("llm_refused", "no"), { text: "Three", stop: "max_tokens" }]);
    const request = asking("Hi");
    await llm.complete(request);
    request.messages[0]?.content.push({ type: "text", text: "later" });
    expect(llm.requests[0]?.messages[0]?.content).toHaveLength(1);
    await expect(llm.complete(request)).rejects.toMatchObject({ code: "llm_refused" });
    expect(await llm.complete(request)).toMatchObject({ stop: "max_tokens" });
    await expect(llm.complete(request)).rejects.toMatchObject({ code: "internal" });
  });

  it("may be a function of the request", async () => {
    const llm = scriptedLlm((request, call) => `${request.system} ${call}`);
    expect((await llm.complete(asking("Hi"))).content).toEqual([{ type: "text", text: "You help. 0" }]);
  });
});
