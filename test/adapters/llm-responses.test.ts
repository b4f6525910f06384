/** Responses: what is asked, and what is believed of the answer. What all wires have in common is in llm-errors.test.ts. */
import { describe, expect, it } from "vitest";
import type { ModelRequest } from "#ports/llm.ts";
import { asking } from "../contracts/llm.contract.ts";
import { called, response, said, speeches } from "./llm-openai-wire.ts";
import { against, type Event, type Given, stream } from "./llm-wire.ts";

const plainly: Given = { wire: "responses", provider: "openai" };
const look = { name: "look", description: "Looks.", inputSchema: { type: "object", properties: {}, additionalProperties: false } };
const thought: Event = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "c2VhbGVk" };

async function asked(request: ModelRequest) {
  const { ask, wire } = await against([speeches.responses.whole], plainly);
  await ask(request);
  return wire.requests[0]?.body ?? {};
}

describe("the request", () => {
  it("holds the whole conversation, and asks that nothing be kept", async () => {
    const body = await asked(
      asking("Go", {
        tools: [look],
        messages: [
          { role: "user", content: [{ type: "text", text: "Go" }] },
          {
            role: "assistant",
            content: [
              { type: "opaque", provider: "openai", wire: "chat", raw: { on: "message", fields: { reasoning_content: "x" } } },
              { type: "opaque", provider: "anthropic", raw: { type: "thinking", thinking: "y", signature: "s" } },
              { type: "text", text: "I look." },
              { type: "tool_use", id: "t1", name: "look", input: { a: 1 } },
            ],
          },
          {
            role: "user",
            content: [
              { type: "text", text: "Quick!" },
              { type: "tool_result", id: "t1", content: "no", isError: true },
            ],
          },
          { role: "assistant", content: [] },
          { role: "user", content: [] },
        ],
      }),
    );
    expect(body).toEqual({
      model: "m-1",
      stream: true,
      store: false,
      include: ["reasoning.encrypted_content"],
      instructions: "You help.",
      max_output_tokens: 1024,
      tools: [{ type: "function", name: "look", description: "Looks.", parameters: look.inputSchema, strict: false }],
      input: [
        { role: "user", content: [{ type: "input_text", text: "Go" }] },
        { role: "assistant", content: "I look." },
        { type: "function_call", call_id: "t1", name: "look", arguments: '{"a":1}' },
        { type: "function_call_output", call_id: "t1", output: "Error: no" },
        { role: "user", content: [{ type: "input_text", text: "Quick!" }] },
        { role: "assistant", content: "(nothing)" },
        { role: "user", content: "(nothing)" },
      ],
    });
  });

  it("sends neither sampling parameters nor empty parts", async () => {
    const body = await asked(asking("Hi", { system: "" }));
    expect(Object.keys(body).sort()).toEqual(["include", "input", "max_output_tokens", "model", "store", "stream"]);
  });
});

describe("the reply", () => {
  const reply = async (...events: Event[]) => (await against([stream(events)], plainly)).ask();

  it("gives thinking and phases back where they were", async () => {
    const items = [thought, said("I look.", { phase: "commentary" }), called({ json: '{"a":1}' })];
    const { ask, wire } = await against([stream(response(items)), speeches.responses.whole], plainly);
    const { content, stop } = await ask();
    expect(stop).toBe("tool_use");
    expect(content.map((block) => block.type)).toEqual(["opaque", "opaque", "text", "tool_use"]);
    await ask(asking("Hi", { messages: [{ role: "assistant", content }] }));
    expect(wire.requests[1]?.body.input).toEqual([
      thought,
      { role: "assistant", content: "I look.", phase: "commentary" },
      { type: "function_call", call_id: "t_0", name: "look", arguments: '{"a":1}' },
    ]);
  });

  it("takes the items as they were done where the end lists none", async () => {
    const { content } = await reply(...response([called({}), said("Hm.")], "response.completed", { output: [] }));
    expect(content.map((block) => block.type)).toEqual(["tool_use", "text"]);
  });

  it("does not believe an item that was begun and never done", async () => {
    const events = response([called({})], "response.completed", { output: [] }).filter(({ type }) => type !== "response.output_item.done");
    const { ask, wire } = await against([stream(events), speeches.responses.whole], plainly);
    expect(await ask()).toMatchObject({ content: [{ type: "text", text: "Hello." }] });
    expect(wire.requests).toHaveLength(2);
  });

  it("keys items by index, whatever the gaps and the order", async () => {
    const done = (output_index: number, item: Event): Event => ({ type: "response.output_item.done", output_index, item });
    const [begin, ...rest] = response([], "response.completed", { output: [] });
    const { content } = await reply(begin as Event, done(7, said("second")), done(2, called({ name: "first" })), ...rest);
    expect(content).toMatchObject([{ name: "first" }, { text: "second" }]);
  });

  it.each([
    ["max_output_tokens", "max_tokens"],
    ["content_filter", "refusal"],
  ])("knows why it is incomplete: %s", async (reason, stop) => {
    const end = response([said("Half")], "response.incomplete", { incomplete_details: { reason } });
    expect(await reply(...end)).toMatchObject({ stop, content: [{ type: "text", text: "Half" }] });
  });

  it("knows a refusal in words", async () => {
    const item = said("", { content: [{ type: "refusal", refusal: "I won't." }] });
    expect(await reply(...response([item]))).toMatchObject({ stop: "refusal", content: [{ type: "text", text: "I won't." }] });
  });

  it("counts usage with the cache's part inside", async () => {
    const usage = {
      input_tokens: 30,
      output_tokens: 9,
      input_tokens_details: { cached_tokens: 20 },
      output_tokens_details: { reasoning_tokens: 4 },
    };
    expect(await reply(...response([said("Hi")], "response.completed", { usage }))).toMatchObject({
      usage: { uncachedIn: 10, cacheRead: 20, output: 9, reasoning: 4 },
      usageSource: "reported",
    });
  });

  it.each([
    [{ type: "error", code: "rate_limit_exceeded", message: "Slow down", param: null }, 2, null],
    [{ type: "response.failed", response: { error: { code: "server_error", message: "Oops" } } }, 2, null],
    [{ type: "response.failed", response: { error: { code: "insufficient_quota", message: "No more" } } }, 1, "llm_refused"],
    [{ type: "error", code: "context_length_exceeded", message: "Too long", param: null }, 1, "llm_refused"],
  ])("judges %o", async (event, requests, code) => {
    const { ask, wire } = await against([stream([...response([], null), event]), speeches.responses.whole], plainly);
    const outcome = await ask().catch((error: unknown) => error);
    if (code) expect(outcome).toMatchObject({ code });
    else expect(outcome).toMatchObject({ stop: "end" });
    expect(wire.requests).toHaveLength(requests);
  });
});
