/** What is odd about each provider: a body of the shape that it sends, as a file in llm-fixtures, and what we make of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Wire } from "#core/wire-usage.ts";
import type { Block, ModelRequest } from "#ports/llm.ts";
import { asking } from "../contracts/llm.contract.ts";
import { speeches } from "./llm-openai-wire.ts";
import { type Answer, against, failure, plain, raw } from "./llm-wire.ts";

const fixture = (name: string): Answer => raw(readFileSync(join(import.meta.dirname, "llm-fixtures", `${name}.sse`), "utf8"));

/** Asks `provider`, whose answer is a file, and then asks again with what it said and the results of its calls. */
async function twice(provider: string, wire: Wire, name: string, more: Partial<ModelRequest> = {}) {
  const { ask, wire: server } = await against([fixture(name), speeches[wire].whole], { provider, wire });
  const reply = await ask();
  const calls = reply.content.flatMap((block) => (block.type === "tool_use" ? [block.id] : []));
  const results = calls.map((id): Block => ({ type: "tool_result", id, content: "seen", isError: false }));
  const messages = [
    ...asking("Hi").messages,
    { role: "assistant" as const, content: reply.content },
    { role: "user" as const, content: results },
  ];
  await ask(asking("Hi", { messages, ...more }));
  const sent = (server.requests[1]?.body.messages ?? []) as Record<string, unknown>[];
  return { reply, sent, assistant: sent.find(({ role }) => role === "assistant") ?? {}, bodies: server.requests.map(({ body }) => body) };
}

/** What is sent for a conversation whose calls another provider made. */
async function afterAnother(provider: string, wire: Wire, more: Partial<ModelRequest> = {}) {
  const { ask, wire: server } = await against([speeches[wire].whole], { provider, wire });
  const messages: ModelRequest["messages"] = [
    ...asking("Hi").messages,
    { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "look", input: {} }] },
    { role: "user", content: [{ type: "tool_result", id: "t1", content: "seen", isError: false }] },
    { role: "assistant", content: [{ type: "text", text: "So." }] },
    { role: "user", content: [{ type: "text", text: "Go on" }] },
  ];
  await ask(asking("Hi", { messages, ...more }));
  const body = server.requests[0]?.body ?? {};
  const sent = body.messages as Record<string, unknown>[];
  return { body, assistants: sent.filter(({ role }) => role === "assistant") };
}

const unsaid = { type: "thinking", thinking: "(not recorded)", signature: "" };

describe("Anthropic", () => {
  it("may say 529 in an event after HTTP 200", async () => {
    const { ask, wire } = await against([fixture("anthropic-529-in-200"), speeches.anthropic.whole]);
    expect(await ask()).toMatchObject({ stop: "end" });
    expect(wire.requests).toHaveLength(2);
    const { error } = await failure([fixture("anthropic-529-in-200")], { maxRetries: 0 });
    expect(error).toMatchObject({ code: "llm_unreachable", usage: { uncachedIn: 25, output: 1 } });
  });
});

describe("z.ai", () => {
  it("tells what it used at the end alone", async () => {
    const { ask } = await against([fixture("zai-usage-late")], { provider: "zai" });
    expect(await ask()).toMatchObject({ usage: { uncachedIn: 812, cacheRead: 768, output: 9 }, usageSource: "reported" });
  });

  it.each([
    ["zai-input-array", /not an object/],
    ["zai-call-as-text", /tool call as text/],
    ["zai-markup-in-input", /is markup/],
  ])("gives a call that is none, which never runs and is never sent back: %s", async (name, why) => {
    const { error } = await failure([fixture(name)], { provider: "zai", maxRetries: 0 });
    expect(error).toMatchObject({ code: "llm_incomplete", message: expect.stringMatching(why) });
  });

  it("may have its notation spoken of", async () => {
    const talk = { type: "text_delta", text: "GLM writes <tool_call>name <arg_key>k</arg_key></tool_call> in its text, which is a fault." };
    const { ask } = await against([
      raw(
        [
          { type: "message_start", message: { model: "glm-5.3" } },
          { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
          { type: "content_block_delta", index: 0, delta: talk },
          { type: "message_delta", delta: { stop_reason: "end_turn" } },
          { type: "message_stop" },
        ]
          .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
          .join(""),
      ),
    ]);
    expect(await ask()).toMatchObject({ stop: "end" });
  });

  const busy = (code: string, message: string) => plain(429, { error: { code, message } });

  it.each(["anthropic", "chat"] as const)("is busy with 1302 and 1305, which pass: %s", async (wire) => {
    const answers = [busy("1302", "High concurrency usage of this API"), busy("1305", "Overloaded"), speeches[wire].whole];
    const { ask, wire: server } = await against(answers, { provider: "zai", wire });
    expect(await ask()).toMatchObject({ stop: "end" });
    expect(server.requests).toHaveLength(3);
  });

  it("may say so after HTTP 200", async () => {
    const { ask, wire } = await against([fixture("zai-1305-in-200"), speeches.chat.whole], { provider: "zai", wire: "chat" });
    expect(await ask()).toMatchObject({ stop: "end" });
    expect(wire.requests).toHaveLength(2);
  });

  it.each([
    ["1113", "Insufficient balance or no resource package. Please recharge."],
    ["1308", "Usage limit reached for 5 hour. Your limit will reset at 2026-11-27 07:41:44"],
  ])("answers 429 where waiting won't help: %s", async (code, message) => {
    const { error, wire } = await failure([busy(code, message)], { provider: "zai" });
    expect(error).toMatchObject({ code: "llm_refused", exhausted: true, message: expect.stringContaining(message.slice(0, 20)) });
    expect(wire.requests).toHaveLength(1);
  });
});

describe("DeepSeek", () => {
  it("gets its thinking back, over Chat Completions", async () => {
    const { reply, assistant } = await twice("deepseek", "chat", "deepseek-thinking");
    expect(reply).toMatchObject({ stop: "tool_use", usage: { uncachedIn: 36, cacheRead: 64, output: 20, reasoning: 8 } });
    expect(assistant).toMatchObject({ reasoning_content: "I need to look.", tool_calls: [{ id: "call_00" }], content: null });
  });

  it("gets a word for the thinking that was another's, or it refuses", async () => {
    const chat = await afterAnother("deepseek", "chat");
    expect(chat.assistants.map((message) => message.reasoning_content)).toEqual(["(not recorded)", "(not recorded)"]);
    const messages = await afterAnother("deepseek", "anthropic");
    expect(messages.assistants.map(({ content }) => (content as unknown[])[0])).toEqual([unsaid, unsaid]);
  });

  it("may answer with a model that was not asked for, which is seen", async () => {
    const { ask } = await against([fixture("deepseek-thinking")], { provider: "deepseek", wire: "chat", model: "deepseek-v9" });
    expect(await ask()).toMatchObject({ model: "deepseek-v4-pro", provider: "deepseek" });
  });
});

describe("Kimi", () => {
  it("gets a word for missing thinking where an assistant called tools", async () => {
    const chat = await afterAnother("kimi", "chat");
    expect(chat.assistants.map((message) => message.reasoning_content)).toEqual(["(not recorded)", undefined]);
    const messages = await afterAnother("kimi", "anthropic");
    expect(messages.assistants.map(({ content }) => (content as { type: string }[])[0]?.type)).toEqual(["thinking", "text"]);
  });

  it.each(["anthropic", "chat"] as const)("is never told not to think, which some of its models refuse: %s", async (wire) => {
    expect((await afterAnother("kimi", wire, { thinking: "off" })).body).not.toHaveProperty("thinking");
    expect((await afterAnother("kimi", wire, { thinking: "high", maxTokens: 4096 })).body.thinking).toMatchObject({ type: "enabled" });
  });

  it("tells what it used in the choice", async () => {
    const { ask } = await against([fixture("kimi-usage-in-choice")], { provider: "kimi", wire: "chat" });
    expect(await ask()).toMatchObject({ usage: { uncachedIn: 8, cacheRead: 32, output: 3 }, usageSource: "reported" });
  });
});

describe("MiniMax", () => {
  it("puts its thinking into the text, which is taken out and sent back as it was", async () => {
    const { reply, assistant } = await twice("minimax", "chat", "minimax-think-in-text");
    expect(reply.content).toMatchObject([
      { type: "opaque", provider: "minimax" },
      { type: "text", text: "Hello." },
    ]);
    expect(assistant).toMatchObject({
      content: "<think>\nThe user greets me.\n</think>\n\nHello.",
      reasoning_content: "The user greets me.",
    });
  });

  it("is asked to keep it apart, and gets it back put together", async () => {
    const { assistant, bodies } = await twice("minimax", "chat", "minimax-split");
    expect(bodies[0]).toMatchObject({ reasoning_split: true, max_completion_tokens: 1024 });
    const detail = { type: "reasoning.text", id: "reasoning-text-1", format: "MiniMax-response-v1", index: 0 };
    expect(assistant.reasoning_details).toEqual([{ ...detail, text: "I need to look." }]);
  });

  it("signs its thinking over Anthropic's wire, and gets it back signed", async () => {
    const { assistant } = await twice("minimax", "anthropic", "minimax-signed-thinking");
    expect(assistant.content).toEqual([
      { type: "thinking", thinking: "I need to look.", signature: "5f1d3c" },
      { type: "tool_use", id: "call_1", name: "look", input: {} },
    ]);
  });

  it("says that an account is empty with HTTP 200", async () => {
    for (const answer of [
      fixture("minimax-base-resp"),
      plain(200, { base_resp: { status_code: 1008, status_msg: "insufficient balance" } }),
    ]) {
      const { error, wire } = await failure([answer], { provider: "minimax", wire: "chat" });
      expect(error).toMatchObject({ code: "llm_refused", exhausted: true });
      expect(wire.requests).toHaveLength(1);
    }
  });

  it("is not thought of where others speak of <think>", async () => {
    const { ask } = await against([raw('data: {"choices":[{"delta":{"content":"<think> is a tag."},"finish_reason":"stop"}]}\n\n')], {
      provider: "openai",
      wire: "chat",
    });
    expect((await ask()).content).toEqual([{ type: "text", text: "<think> is a tag." }]);
  });
});

describe("Gemini", () => {
  it("gets its signatures back on the calls that they came with, whose index it leaves out or repeats", async () => {
    const { reply, assistant, sent } = await twice("gemini", "chat", "gemini-signatures");
    expect(reply.content.map((block) => block.type)).toEqual(["opaque", "tool_use", "tool_use", "tool_use"]);
    // What it thought is in the total alone.
    expect(reply.usage).toMatchObject({ uncachedIn: 57, output: 140 - 57, reasoning: 140 - 57 - 21 });
    const call = (id: string, path: string) => ({ id, type: "function", function: { name: "look", arguments: JSON.stringify({ path }) } });
    expect(assistant.tool_calls).toEqual([
      { ...call("jm4owj31", "a.ts"), extra_content: { google: { thought_signature: "c2lnLTE=" } } },
      call("k2p7x0q8", "b.ts"),
      call("z9w1v5c3", "c.ts"),
    ]);
    expect(sent.filter(({ role }) => role === "tool")).toHaveLength(3);
  });

  it("puts an error into a list", async () => {
    const refused = plain(400, [
      { error: { code: 400, message: "Function call is missing a thought_signature", status: "INVALID_ARGUMENT" } },
    ]);
    const { error } = await failure([refused], { provider: "gemini", wire: "chat" });
    expect(error).toMatchObject({ code: "llm_refused", message: expect.stringContaining("missing a thought_signature") });
    const busy = plain(429, [{ error: { code: 429, message: "You exceeded your current quota", status: "RESOURCE_EXHAUSTED" } }]);
    const { ask } = await against([busy, speeches.chat.whole], { provider: "gemini", wire: "chat" });
    expect(await ask()).toMatchObject({ stop: "end" });
  });
});

describe("Ollama", () => {
  it("tells nothing of a cache, has no key, and is asked one thing only", async () => {
    const { ask, wire } = await against([fixture("ollama-plain")], { provider: "ollama", wire: "chat", key: null });
    expect(await ask()).toMatchObject({ usage: { uncachedIn: 31, cacheRead: 0, output: 3 }, usageSource: "reported" });
    expect(wire.requests.map(({ path }) => path)).toEqual(["/chat/completions"]);
    expect(wire.requests[0]?.headers).not.toHaveProperty("authorization");
  });
});

describe("OpenRouter", () => {
  const model = "anthropic/claude-sonnet-5";
  const mark = { cache_control: { type: "ephemeral" } };
  const request = asking("Hi", {
    messages: [
      { role: "user", content: [{ type: "text", text: "One" }] },
      { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "look", input: {} }] },
      { role: "user", content: [{ type: "tool_result", id: "t1", content: "seen", isError: false }] },
      { role: "assistant", content: [{ type: "text", text: "So." }] },
      { role: "user", content: [{ type: "text", text: "Two" }] },
    ],
  });

  it("caches Anthropic's models up to marks, which it rejects on results", async () => {
    const { ask, wire } = await against([speeches.chat.whole], { provider: "openrouter", wire: "chat", model });
    await ask(request);
    expect(wire.requests[0]?.body.messages).toEqual([
      { role: "system", content: [{ type: "text", text: "You help.", ...mark }] },
      { role: "user", content: [{ type: "text", text: "One", ...mark }] },
      expect.objectContaining({ role: "assistant" }),
      { role: "tool", tool_call_id: "t1", content: "seen" },
      { role: "assistant", content: "So." },
      { role: "user", content: [{ type: "text", text: "Two", ...mark }] },
    ]);
  });

  it("gets no marks for the models of others", async () => {
    const { ask, wire } = await against([speeches.chat.whole], { provider: "openrouter", wire: "chat", model: "z-ai/glm-5.3" });
    await ask(request);
    expect(JSON.stringify(wire.requests[0]?.body)).not.toContain("cache_control");
  });

  it("comments while it waits, and gets its signed thinking back", async () => {
    const { reply, assistant } = await twice("openrouter", "chat", "openrouter-reasoning");
    expect(reply).toMatchObject({ stop: "tool_use", usage: { uncachedIn: 50, cacheRead: 400, write5m: 50, output: 20 } });
    expect(assistant).toMatchObject({
      reasoning: "Look first.",
      reasoning_details: [{ type: "reasoning.text", text: "Look first.", signature: "c2ln", format: "anthropic-claude-v1", index: 0 }],
    });
  });

  it("says in the middle of a stream what went wrong behind it", async () => {
    const { ask, wire } = await against([fixture("openrouter-error-in-200"), speeches.chat.whole], {
      provider: "openrouter",
      wire: "chat",
    });
    expect(await ask()).toMatchObject({ content: [{ type: "text", text: "Hello." }] });
    expect(wire.requests).toHaveLength(2);
    const broke = await failure([plain(402, { error: { code: 402, message: "Insufficient credits" } })], {
      provider: "openrouter",
      wire: "chat",
    });
    expect(broke.error).toMatchObject({ code: "llm_refused", exhausted: true });
  });
});

describe("OpenAI", () => {
  it("says 429 where the quota is used up, and where waiting helps", async () => {
    const error = {
      message: "You exceeded your current quota, please check your plan.",
      type: "insufficient_quota",
      code: "insufficient_quota",
    };
    const spent = await failure([plain(429, { error })], { provider: "openai", wire: "responses" });
    expect(spent.error).toMatchObject({ code: "llm_refused", exhausted: true });
    expect(spent.wire.requests).toHaveLength(1);
    const busy = plain(429, { error: { message: "Rate limit reached", type: "requests", code: "rate_limit_exceeded" } });
    const { ask } = await against([busy, speeches.responses.whole], { provider: "openai", wire: "responses" });
    expect(await ask()).toMatchObject({ stop: "end" });
  });
});
