/** The adapters inside workerd: both SDKs load there, send, and decode a stream. What they make of it is tested in test/adapters. */
import { describe, expect, it } from "vitest";
import { llmFor } from "#adapters/llm/index.ts";
import { type Wire, wires } from "#core/wire-usage.ts";
import { endpointOf } from "../support/endpoint.ts";

const clock = { now: () => Date.now(), sleep: async () => {} };

const bodies: Readonly<Record<Wire, readonly Record<string, unknown>[]>> = {
  anthropic: [
    { type: "message_start", message: { id: "msg_1", model: "m-1", usage: { input_tokens: 10 } } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "Hello." } },
    { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 5 } },
    { type: "message_stop" },
  ],
  chat: [
    { model: "m-1", choices: [{ index: 0, delta: { content: "Hello." }, finish_reason: "stop" }] },
    { model: "m-1", choices: [], usage: { prompt_tokens: 10, completion_tokens: 5 } },
  ],
  responses: [
    { type: "response.created", response: {} },
    {
      type: "response.completed",
      response: {
        model: "m-1",
        output: [{ type: "message", content: [{ type: "output_text", text: "Hello." }] }],
        usage: { input_tokens: 10, output_tokens: 5 },
      },
    },
  ],
};

describe.each(wires)("the %s wire", (wire) => {
  const asked: Request[] = [];
  const llm = (answer: () => Response) =>
    llmFor(endpointOf({ provider: "scripted", wire, baseUrl: "http://model.test", apiKey: "key-of-a-test" }), {
      clock,
      maxRetries: 0,
      fetch: async (input, init) => {
        asked.push(new Request(input, init));
        return answer();
      },
    });
  const request = { system: "You help.", tools: [], maxTokens: 64, messages: [] };

  it("is spoken", async () => {
    const text = bodies[wire].map((event) => `${event.type ? `event: ${event.type}\n` : ""}data: ${JSON.stringify(event)}\n\n`).join("");
    const reply = await llm(() => new Response(text, { headers: { "content-type": "text/event-stream" } })).complete(request);
    expect(reply).toMatchObject({
      content: [{ type: "text", text: "Hello." }],
      stop: "end",
      usage: { uncachedIn: 10, output: 5 },
      model: "m-1",
    });
    expect(asked[0]?.headers.get(wire === "anthropic" ? "x-api-key" : "authorization")).toContain("key-of-a-test");
  });

  it("has its errors judged", async () => {
    const refused = () => Response.json({ error: { type: "authentication_error", message: "no" } }, { status: 401 });
    await expect(llm(refused).complete(request)).rejects.toMatchObject({ code: "llm_refused" });
  });
});
