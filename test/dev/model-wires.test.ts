/** One brain, three wires: the stand-in's own answers as each official SDK reads them, and its faults as our adapters see them. */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { llmFor } from "#adapters/llm/index.ts";
import type { UacError } from "#core/errors.ts";
import { type Wire, wires } from "#core/wire-usage.ts";
import type { LlmFailure, ModelRequest } from "#ports/llm.ts";
import type { Behaviour } from "../../dev/model/behaviour.ts";
import { type Model, startModel } from "../../dev/model/server.ts";
import { asking, fakeClock } from "../contracts/llm.contract.ts";
import { endpointOf } from "../support/endpoint.ts";

let model: Model;
const apiKey = crypto.randomUUID();
beforeEach(async () => {
  model = await startModel({ apiKey });
});
afterEach(() => model.close());

const adapter = (wire: Wire, more: { maxRetries?: number; silenceMs?: number } = {}) =>
  llmFor(endpointOf({ provider: "scripted", wire, apiKey, baseUrl: model.urlFor(wire) }), { clock: fakeClock(), maxRetries: 0, ...more });
const tool = (name: string) => ({
  name,
  description: name,
  inputSchema: { type: "object", properties: {}, additionalProperties: false },
});
const desk = [tool("delegate"), tool("fleet")];
const question = asking("What is the status of the fleet?", { tools: desk });
const openai = () => new OpenAI({ apiKey, baseURL: model.urlFor("chat"), maxRetries: 0 });

describe.each(wires)("over %s", (wire) => {
  it("does the same: calls a tool, reads its result, answers; and remembers nothing itself", async () => {
    const first = await adapter(wire).complete(question);
    expect(first).toMatchObject({ stop: "tool_use", usageSource: "reported", model: "scripted-1" });
    const call = first.content.find((block) => block.type === "tool_use");
    expect(call).toMatchObject({ name: "fleet", input: {} });
    const messages: ModelRequest["messages"] = [
      ...question.messages,
      { role: "assistant", content: first.content },
      { role: "user", content: [{ type: "tool_result", id: call?.id ?? "", content: "desk-1: online", isError: false }] },
    ];
    const second = await adapter(wire).complete({ ...question, messages });
    expect(second).toMatchObject({ stop: "end", content: [{ type: "text", text: "desk-1: online" }] });
    expect(model.requests.map((request) => [request.wire, request.role])).toEqual([
      [wire, "front-desk"],
      [wire, "front-desk"],
    ]);
    const failure = { type: "tool_result" as const, id: call?.id ?? "", content: "no such thing", isError: true };
    const failed = [...messages.slice(0, 2), { role: "user" as const, content: [failure] }];
    const third = await adapter(wire).complete({ ...question, messages: failed });
    expect(third.content).toEqual([{ type: "text", text: "That did not work: no such thing" }]);
  });

  it("counts what was there before as read from the cache", async () => {
    const system = "You help. ".repeat(200);
    const cold = await adapter(wire).complete({ ...question, system });
    expect(cold.usage.cacheRead).toBe(0);
    const more = [...question.messages, { role: "assistant" as const, content: cold.content }];
    const warm = await adapter(wire).complete({ ...question, system, messages: [...more, ...asking("And now?").messages] });
    expect(warm.usage.cacheRead).toBeGreaterThan(450);
    expect(warm.usage.cacheRead).toBeLessThanOrEqual(cold.usage.uncachedIn + cold.usage.write5m);
    if (wire !== "anthropic") expect(warm.usage.write5m).toBe(0);
  });

  const seen = async (behaviour: Behaviour, more: { silenceMs?: number } = {}): Promise<LlmFailure | { stop: string; source: string }> => {
    model.behave(behaviour);
    return adapter(wire, more)
      .complete(question)
      .then(
        ({ stop, usageSource }) => ({ stop, source: usageSource }),
        (error: UacError) => error,
      );
  };

  it.each<[Behaviour, object]>([
    ["garbage", { code: "llm_incomplete", message: expect.stringContaining("not one JSON value") }],
    ["concatenated", { code: "llm_incomplete", message: expect.stringContaining("not one JSON value") }],
    ["cuts-stream", { code: "llm_incomplete" }],
    ["html", { code: "llm_incomplete", message: expect.stringContaining("text/html") }],
    ["json-on-stream", { code: "llm_incomplete", message: expect.stringContaining("application/json") }],
    ["overloaded", { code: "llm_unreachable", message: expect.stringContaining("529") }],
    ["overloaded-inside", { code: "llm_unreachable", message: expect.stringContaining("Overloaded") }],
    ["empty-account", { code: "llm_refused", exhausted: true }],
    ["quota", { code: "llm_refused", exhausted: true }],
    ["refuses", { stop: "refusal" }],
    ["no-usage", { stop: "tool_use", source: "missing" }],
    ["index-gaps", { stop: "tool_use", source: "reported" }],
  ])("%s is seen for what it is", async (behaviour, expected) => {
    expect(await seen(behaviour)).toMatchObject(expected);
  });

  it("stalls, and is given up", async () => {
    expect(await seen("stalls", { silenceMs: 50 })).toMatchObject({
      code: "llm_incomplete",
      message: expect.stringContaining("nothing more came"),
    });
  });

  it("wants the key, and refuses what is no request, in the words of the wire", async () => {
    const path = { anthropic: "/v1/messages", chat: "/v1/chat/completions", responses: "/v1/responses" }[wire];
    const post = (key: string, body: object) =>
      fetch(model.url + path, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "anthropic-version": "1" },
        body: JSON.stringify(body),
      });
    const denied = await post("wrong", {});
    expect(denied.status).toBe(401);
    expect(await denied.json()).toMatchObject({ error: { type: "authentication_error", message: "invalid key" } });
    const refused = await post(apiKey, { model: "scripted-1" });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: { type: "invalid_request_error" } });
    expect(model.requests).toEqual([]);
  });
});

describe("as the official SDKs read it", () => {
  const messages = [{ role: "user" as const, content: "Hello" }];

  it("Chat Completions, whole and as a stream, with usage where it is asked for", async () => {
    const whole = await openai().chat.completions.create({ model: "m", messages });
    const text = whole.choices[0]?.message.content ?? "";
    expect(text).toContain("stand-in");
    expect(whole.usage).toMatchObject({ prompt_tokens: expect.any(Number), prompt_tokens_details: { cached_tokens: 0 } });
    const streamed = openai().chat.completions.stream({ model: "m", messages, stream_options: { include_usage: true } });
    const final = await streamed.finalChatCompletion();
    expect(final.choices[0]?.message.content).toBe(text);
    expect(final.usage?.completion_tokens).toBe(whole.usage?.completion_tokens);
    const untold = openai().chat.completions.stream({ model: "m", messages });
    expect((await untold.finalChatCompletion()).usage).toBeUndefined();
  });

  it("Responses, whole and as a stream, calls included", async () => {
    const input = "What is the status of the fleet?";
    const tools = desk.map(({ name, inputSchema: parameters }) => ({ type: "function" as const, name, parameters, strict: false }));
    const whole = await openai().responses.create({ model: "m", input, tools });
    expect(whole.output).toMatchObject([{ type: "function_call", name: "fleet", arguments: "{}" }]);
    const final = await openai().responses.stream({ model: "m", input, tools }).finalResponse();
    expect(final.output).toMatchObject([{ type: "function_call", name: "fleet", arguments: "{}" }]);
    expect(final.usage?.total_tokens).toBe(whole.usage?.total_tokens);
    const said = await openai().responses.stream({ model: "m", input: "Hello" }).finalResponse();
    expect(said.output_text).toContain("stand-in");
  });

  it("Anthropic Messages, whole and as a stream", async () => {
    const client = new Anthropic({ authToken: apiKey, baseURL: model.url, maxRetries: 0 });
    const whole = await client.messages.create({ model: "m", max_tokens: 100, messages });
    const final = await client.messages.stream({ model: "m", max_tokens: 100, messages }).finalMessage();
    expect(final.content).toMatchObject(whole.content);
    expect(final.usage.output_tokens).toBe(whole.usage.output_tokens);
  });
});
