/** Chat Completions: what is asked, and what is believed of the answer. What all wires have in common is in llm-errors.test.ts. */
import { describe, expect, it } from "vitest";
import type { ModelRequest } from "#ports/llm.ts";
import { asking } from "../contracts/llm.contract.ts";
import { chat, chatCall, chatUsage, chunk, speeches } from "./llm-openai-wire.ts";
import { against, type Event, type Given } from "./llm-wire.ts";

const look = { name: "look", description: "Looks.", inputSchema: { type: "object", properties: {}, additionalProperties: false } };
const plainly: Given = { wire: "chat", provider: "openai" };

async function asked(request: ModelRequest, more: Given = plainly) {
  const { ask, wire } = await against([speeches.chat.whole], more);
  await ask(request);
  return wire.requests[0]?.body ?? {};
}

describe("the request", () => {
  it("holds system, tools, calls, results and what the user adds, each where it belongs", async () => {
    const body = await asked(
      asking("Go", {
        tools: [look],
        messages: [
          { role: "user", content: [{ type: "text", text: "Go" }] },
          {
            role: "assistant",
            content: [
              { type: "opaque", provider: "openai", wire: "responses", raw: { on: "item", item: {} } },
              { type: "opaque", provider: "zai", wire: "chat", raw: { on: "message", fields: { reasoning_content: "Another's" } } },
              { type: "text", text: "I look." },
              { type: "tool_use", id: "t1", name: "look", input: { a: 1 } },
              { type: "tool_use", id: "t2", name: "look", input: {} },
            ],
          },
          {
            role: "user",
            content: [
              { type: "text", text: "Quick!" },
              { type: "tool_result", id: "t1", content: "", isError: false },
              { type: "tool_result", id: "t2", content: "no", isError: true },
            ],
          },
          { role: "assistant", content: [] },
          { role: "user", content: [{ type: "text", text: " " }] },
        ],
      }),
    );
    expect(body).toEqual({
      model: "m-1",
      stream: true,
      stream_options: { include_usage: true },
      max_completion_tokens: 1024,
      tools: [{ type: "function", function: { name: "look", description: "Looks.", parameters: look.inputSchema } }],
      messages: [
        { role: "system", content: "You help." },
        { role: "user", content: "Go" },
        {
          role: "assistant",
          content: "I look.",
          tool_calls: [
            { id: "t1", type: "function", function: { name: "look", arguments: '{"a":1}' } },
            { id: "t2", type: "function", function: { name: "look", arguments: "{}" } },
          ],
        },
        { role: "tool", tool_call_id: "t1", content: "(empty)" },
        { role: "tool", tool_call_id: "t2", content: "Error: no" },
        { role: "user", content: "Quick!" },
        { role: "assistant", content: "(nothing)" },
        { role: "user", content: "(nothing)" },
      ],
    });
  });

  it("sends neither sampling parameters nor empty parts", async () => {
    const body = await asked(asking("Hi", { system: "" }));
    expect(Object.keys(body).sort()).toEqual(["max_completion_tokens", "messages", "model", "stream", "stream_options"]);
  });
});

describe("the reply", () => {
  const reply = async (...chunks: Event[]) => (await against([chat(chunks)], plainly)).ask();

  it("puts calls together by index, whatever the gaps and the order", async () => {
    const piece = (index: number, json: string): Event => chunk({ tool_calls: [{ index, function: { arguments: json } }] });
    const { content, stop } = await reply(
      chatCall({ index: 4, id: "b", name: "second" }),
      chatCall({ index: 1, id: "a", name: "first" }),
      piece(4, '{"x":'),
      piece(1, "{}"),
      piece(4, "2}"),
      chunk({}, "tool_calls"),
    );
    expect(stop).toBe("tool_use");
    expect(content).toEqual([
      { type: "tool_use", id: "b", name: "second", input: { x: 2 } },
      { type: "tool_use", id: "a", name: "first", input: {} },
    ]);
  });

  it.each([
    ["as an object at once", { input: { a: 1 } }, { a: 1 }],
    ["as JSON at once", { json: '{"a":1}' }, { a: 1 }],
    ["as nothing", { json: "" }, {}],
  ])("accepts a tool's input %s", async (_, given, input) => {
    const { content } = await reply(chatCall(given), chunk({}, "tool_calls"));
    expect(content).toEqual([{ type: "tool_use", id: "t_0", name: "look", input }]);
  });

  it("takes an id that is said again with every piece for the same call", async () => {
    const again = chunk({ tool_calls: [{ index: 0, id: "t_0", function: { name: "look", arguments: "1}" } }] });
    const { content } = await reply(chatCall({ json: '{"a":' }), again, chunk({}, "tool_calls"));
    expect(content).toEqual([{ type: "tool_use", id: "t_0", name: "look", input: { a: 1 } }]);
  });

  it.each([
    ["stop", "end"],
    ["length", "max_tokens"],
    ["model_context_window_exceeded", "max_tokens"],
    ["content_filter", "refusal"],
    ["sensitive", "refusal"],
    ["tool_calls", "end"],
    ["something new", "end"],
  ])("knows the finish reason %s", async (reason, stop) => {
    expect(await reply(chunk({ content: "Hi" }), chunk({}, reason))).toMatchObject({ stop });
  });

  it("believes the content when the finish reason contradicts it", async () => {
    expect(await reply(chatCall({}), chunk({}, "stop"))).toMatchObject({ stop: "tool_use" });
  });

  it("knows a refusal in words", async () => {
    expect(await reply(chunk({ refusal: "I won't." }), chunk({}, "stop"))).toMatchObject({
      stop: "refusal",
      content: [{ type: "text", text: "I won't." }],
    });
  });

  it.each(["error", "network_error", "insufficient_system_resource"])("does not believe an end that is none: %s", async (reason) => {
    const { ask, wire } = await against([chat([chatCall({}), chunk({}, reason)]), speeches.chat.whole], plainly);
    expect(await ask()).toMatchObject({ content: [{ type: "text", text: "Hello." }] });
    expect(wire.requests).toHaveLength(2);
  });

  it("reports who answered and the model that it says it was", async () => {
    const { ask } = await against([chat([chunk({ content: "Hi" }, "stop", { model: "m-0" })])], plainly);
    expect(await ask()).toMatchObject({ provider: "openai", model: "m-0" });
  });

  it.each([
    [
      "with the cache's part inside",
      { prompt_tokens: 30, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 20 } },
      { uncachedIn: 10, cacheRead: 20, output: 9 },
      "reported",
    ],
    [
      "with thinking inside the output",
      { prompt_tokens: 3, completion_tokens: 9, completion_tokens_details: { reasoning_tokens: 4 } },
      { output: 9, reasoning: 4 },
      "reported",
    ],
    ["in part", { prompt_tokens: 3 }, { uncachedIn: 3, output: 0 }, "partial"],
    ["as null", null, { uncachedIn: 0 }, "missing"],
  ])("counts usage %s", async (_, told, usage, usageSource) => {
    expect(await reply(chunk({ content: "Hi" }), chunk({}, "stop"), chatUsage(told))).toMatchObject({ usage, usageSource });
  });

  it("needs no [DONE], which some leave out, but an end", async () => {
    const { ask } = await against([chat([chunk({ content: "Hi" }, "stop")], { end: false }), speeches.chat.whole], {
      ...plainly,
      silenceMs: 300,
      maxRetries: 0,
    });
    await expect(ask()).rejects.toMatchObject({ code: "llm_incomplete" });
    const open: Parameters<typeof against>[0] = [
      (response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.end(`data: ${JSON.stringify(chunk({ content: "Hi" }, "stop"))}\n\n`);
      },
    ];
    expect(await (await against(open, plainly)).ask()).toMatchObject({ stop: "end" });
  });
});
