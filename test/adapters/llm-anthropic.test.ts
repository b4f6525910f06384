/** Anthropic's wire: what is asked, and what is believed of the answer. What all wires have in common is in llm-errors.test.ts. */
import { describe, expect, it } from "vitest";
import { asking } from "../contracts/llm.contract.ts";
import { against, type Event, end, start, stream, text, tool, whole } from "./llm-wire.ts";

const fleetTool = {
  name: "fleet",
  description: "Who is there.",
  inputSchema: { type: "object", properties: {}, additionalProperties: false },
};
const delegateTool = { ...fleetTool, name: "delegate" };

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
      {
        type: "opaque",
        provider: "anthropic",
        wire: "anthropic",
        raw: { type: "thinking", thinking: "Let me see.", signature: "c2ln" },
      },
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
