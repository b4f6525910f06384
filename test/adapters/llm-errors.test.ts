/** A transport that cannot be fooled: what is not a whole message is an error over every wire, and errors are judged and bounded. */
import { describe, expect, it } from "vitest";
import { llmFor } from "#adapters/llm/index.ts";
import { giveUpAfterMs } from "#adapters/llm/retry.ts";
import { wires } from "#core/wire-usage.ts";
import { asking, fakeClock } from "../contracts/llm.contract.ts";
import { speeches } from "./llm-openai-wire.ts";
import {
  type Answer,
  against,
  type Event,
  end,
  failure,
  plain,
  plainEndpoint,
  raw,
  start,
  startWire,
  stream,
  text,
  tool,
  whole,
} from "./llm-wire.ts";

describe.each(wires)("a reply that is not whole, %s", (wire) => {
  const { cut, stalled, silent, call, cutCall, nameless, failing, untold, whole: all } = speeches[wire];
  const cases: [string, Answer, RegExp][] = [
    ["cut before its end", cut, /ended before/],
    ["without any event", silent, /nothing of the protocol/],
    ["truncated tool JSON", call('{"path":"a'), /not one JSON value/],
    ["concatenated tool JSON", call('{"a":1}{"a":2}'), /not one JSON value/],
    ["an array as tool input", call("[1]"), /not an object/],
    ["a string as tool input", call('"rm"'), /not an object/],
    ["a tool call without a name", call("{}", ""), /no name/],
    ["HTML with 200", plain(200, "<html>Log in</html>", { "content-type": "text/html" }), /text\/html/],
    ["HTML that calls itself a stream", raw("<html>Log in</html>"), /nothing of the protocol/],
    ["JSON with 200", plain(200, { id: "msg_1", content: [] }), /application\/json/],
    ["an event that is no JSON", raw('event: message\ndata: {"type":"message_st\n\n'), /not JSON/],
  ];

  it.each(cases)("is llm_incomplete: %s", async (_, answer, why) => {
    const { error, wire: server } = await failure([answer], { wire, maxRetries: 1 });
    expect(error.code).toBe("llm_incomplete");
    expect(error.message).toMatch(why);
    expect(server.requests).toHaveLength(2);
  });

  it("is asked for again; each try is a call of its own, so the reply's usage is the last one's", async () => {
    const { ask } = await against([cut, all], { wire });
    expect(await ask()).toMatchObject({
      content: [{ type: "text", text: "Hello." }],
      stop: "end",
      usage: { uncachedIn: 10, output: 5 },
      usageSource: "reported",
    });
  });

  it("is one that says nothing more, and one that says nothing at all", async () => {
    const mute = await failure([() => {}], { wire, silenceMs: 60, maxRetries: 0 });
    expect(mute.error).toMatchObject({ code: "llm_unreachable", message: expect.stringContaining("said nothing") });
    const late = await failure([stalled], { wire, silenceMs: 400, maxRetries: 0 });
    expect(late.error).toMatchObject({ code: "llm_incomplete", message: expect.stringContaining("nothing more came") });
  });

  it("is one whose connection breaks in the middle", async () => {
    const breaks: Answer = (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write('data: {"type":"response.created"}\n\n', () => response.destroy());
    };
    const { ask, wire: server } = await against([breaks, all], { wire });
    expect(await ask()).toMatchObject({ stop: "end" });
    expect(server.requests).toHaveLength(2);
  });

  it("is not one whose last call the length limit cut: what came before it stays, the call does not", async () => {
    const { ask } = await against([cutCall('{"a":')], { wire });
    expect(await ask()).toMatchObject({ stop: "max_tokens", content: [{ type: "text", text: "Hello." }] });
  });

  it("is not one whose call has no id: it gets one", async () => {
    const { ask } = await against([nameless], { wire });
    const [block] = (await ask()).content;
    expect(block).toMatchObject({ type: "tool_use", name: "look", id: expect.stringMatching(/^call_/) });
  });

  it("is not one that does not say what it used", async () => {
    const { ask } = await against([untold], { wire });
    expect(await ask()).toMatchObject({ usageSource: "missing", usage: { uncachedIn: 0, output: 0 } });
  });

  it("is one that an error ends: overload after HTTP 200 is tried again, a refusal is not", async () => {
    const overloaded = failing({ type: "overloaded_error", code: "server_error", message: "Overloaded" });
    const { ask, wire: server } = await against([overloaded, all], { wire });
    expect(await ask()).toMatchObject({ stop: "end" });
    expect(server.requests).toHaveLength(2);
    const refused = await failure([failing({ type: "invalid_request_error", code: "invalid_prompt", message: "bad prompt" })], { wire });
    expect(refused.error).toMatchObject({ code: "llm_refused", message: expect.stringContaining("bad prompt") });
    expect(refused.wire.requests).toHaveLength(1);
  });

  it("is not one that says that it is alive, by pings or by comments, for a while; for ever is too long", async () => {
    const alive =
      (until: number): Answer =>
      (response, count, body) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        let said = 0;
        const timer = setInterval(() => {
          response.write(said % 2 ? ": PROCESSING\n\n" : 'event: ping\ndata: {"type":"ping"}\n\n');
          if (++said < until) return;
          clearInterval(timer);
          // The answer writes headers of its own; these are sent already.
          response.writeHead = () => response;
          all(response, count, body);
        }, 40);
        response.on("close", () => clearInterval(timer));
      };
    const { ask } = await against([alive(20)], { wire, silenceMs: 600, maxRetries: 0 });
    expect(await ask()).toMatchObject({ stop: "end" });
    const { error } = await failure([alive(1e9)], { wire, longestMs: 500, maxRetries: 0 });
    expect(error).toMatchObject({ code: "llm_incomplete", message: expect.stringContaining("not done after") });
  });

  it("stops at once when the caller does, in the middle of a stream and between tries", async () => {
    const aborter = new AbortController();
    const { llm, wire: server } = await against([stalled], { wire });
    const reply = llm.complete(asking("Hi", { signal: aborter.signal })).catch((thrown: unknown) => thrown);
    await expect.poll(() => server.requests.length).toBe(1);
    aborter.abort();
    expect(await reply).toMatchObject({ code: "interrupted" });

    const waiting = new AbortController();
    const clock = { ...fakeClock(), sleep: async () => waiting.abort() };
    const busy = await against([plain(529, { error: { message: "busy" } })], { wire, clock });
    await expect(busy.ask(asking("Hi", { signal: waiting.signal }))).rejects.toMatchObject({ code: "interrupted" });
    expect(busy.wire.requests).toHaveLength(1);
  });

  it.each([
    ["refuses it", 402, { type: "billing_error", code: "over_budget", message: "The task's budget of $1 is used up" }],
    ["is held by others, since it waited already", 429, { type: "rate_limit_error", code: "limit_reached", message: "Others held it" }],
  ])("is not even asked for where a budget of ours %s", async (_, status, refused) => {
    const refusal = { error: refused };
    const { error, wire: server } = await failure([plain(status, wire === "anthropic" ? { type: "error", ...refusal } : refusal)], {
      wire,
    });
    expect(error).toMatchObject({ code: refused.code, message: `${refused.message}.` });
    expect(error).not.toHaveProperty("exhausted");
    expect(server.requests).toHaveLength(1);
  });
});

describe("a reply that is not whole, over Anthropic's wire alone", () => {
  it.each([
    ["a string as eager tool input", stream([start(), ...tool(0, { input: "rm" }), ...end("tool_use")]), /not an object/],
    ["a delta for a block that never began", stream([start(), ...text(0, "a").slice(1), ...end()]), /never began/],
    ["a block that began twice", stream([start(), ...text(0, "a"), ...text(0, "b"), ...end()]), /twice/],
  ])("is llm_incomplete: %s", async (_, answer, why) => {
    const { error } = await failure([answer], { maxRetries: 0 });
    expect(error).toMatchObject({ code: "llm_incomplete", message: expect.stringMatching(why) });
  });

  it("leaves on the error what its last try cost", async () => {
    const { error } = await failure([stream([start({ input_tokens: 10, output_tokens: 1 })])], { maxRetries: 1 });
    expect(error.usage).toMatchObject({ uncachedIn: 10, output: 1 });
  });

  it("is not one whose events have no name: the type is in them", async () => {
    const { ask } = await against([stream(whole, { named: false })]);
    expect(await ask()).toMatchObject({ content: [{ type: "text", text: "Hello." }] });
  });
});

describe("errors and tries", () => {
  const error = (type: string, message = "no") => ({ type: "error", error: { type, message } });

  it.each([408, 409, 429, 500, 502, 503, 529])("tries again after %d", async (status) => {
    const { ask, wire, clock } = await against([plain(status, error("api_error")), stream(whole)]);
    expect(await ask()).toMatchObject({ stop: "end" });
    expect(wire.requests).toHaveLength(2);
    expect(clock.slept).toHaveLength(1);
  });

  it("tries again after a broken connection", async () => {
    const { ask } = await against([(response) => response.destroy(), stream(whole)]);
    expect(await ask()).toMatchObject({ stop: "end" });
  });

  it("tries five times, waiting longer each time, and not longer than two minutes", async () => {
    const { error: thrown, wire, clock } = await failure([plain(529, error("overloaded_error", "Overloaded"))]);
    expect(thrown).toMatchObject({ code: "llm_unreachable", message: expect.stringMatching(/529 overloaded_error: Overloaded.*5 tries/) });
    expect(wire.requests).toHaveLength(5);
    expect(clock.slept).toHaveLength(4);
    for (const [i, ms] of clock.slept.entries()) {
      expect(ms).toBeGreaterThanOrEqual(500 * 2 ** i);
      expect(ms).toBeLessThanOrEqual(1500 * 2 ** i);
    }
  });

  it.each([
    ["seconds", { "retry-after": "7" }],
    ["milliseconds, which are more exact", { "retry-after-ms": "7000", "retry-after": "8" }],
    ["a date, by the answer's own clock", { date: "Thu, 26 Nov 2026 08:00:00 GMT", "retry-after": "Thu, 26 Nov 2026 08:00:07 GMT" }],
  ])("waits as it is asked to: %s", async (_, headers) => {
    const { ask, clock } = await against([plain(429, error("rate_limit_error"), headers), stream(whole)]);
    await ask();
    expect(clock.slept).toEqual([7000]);
  });

  it.each(["0", "soon", "Thu, 26 Nov 1990 08:00:00 GMT"])("keeps its own patience where %s is asked for", async (after) => {
    const { ask, clock } = await against([plain(429, error("rate_limit_error"), { "retry-after": after }), stream(whole)]);
    await ask();
    expect(clock.slept[0]).toBeGreaterThanOrEqual(500);
    expect(clock.slept[0]).toBeLessThanOrEqual(1500);
  });

  it("does not wait longer than a call may take", async () => {
    const { error: thrown, wire } = await failure([plain(429, error("rate_limit_error"), { "retry-after": `${giveUpAfterMs}` })]);
    expect(thrown).toMatchObject({ code: "llm_unreachable", message: expect.stringContaining("asks to wait") });
    expect(wire.requests).toHaveLength(1);
  });

  it.each([
    [400, error("invalid_request_error", "too long"), /400 invalid_request_error: too long/],
    [401, error("authentication_error"), /Check the API key/],
    [402, error("billing_error"), /balance/],
    [403, error("permission_error"), /may do/],
    [404, error("not_found_error"), /model's name/],
    [413, error("request_too_large"), /too large/],
    [429, { error: { code: "1113", message: "Insufficient balance or no resource package." } }, /Insufficient balance.*Check the account/],
    [500, error("billing_error", "Your credit balance is too low"), /credit balance/],
  ])("takes %d for a refusal when it is one", async (status, body, why) => {
    const { error: thrown, wire } = await failure([plain(status, body)]);
    expect(thrown.code).toBe("llm_refused");
    expect(thrown.message).toMatch(why);
    expect(wire.requests).toHaveLength(1);
  });

  it.each([
    ["Anthropic", 400, error("invalid_request_error", "prompt is too long: 213462 tokens > 200000 maximum")],
    ["Anthropic", 400, error("invalid_request_error", "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000")],
    ["a proxy", 413, error("request_too_large", "Request exceeds the maximum size")],
    ["OpenAI", 400, { error: { code: "context_length_exceeded", message: "Your input exceeds the context window of this model." } }],
    ["DeepSeek", 400, error("invalid_request_error", "This model's maximum context length is 131072 tokens. However, you requested …")],
    ["Gemini", 400, [{ error: { code: 400, message: "The input token count (1196265) exceeds the maximum number of tokens allowed" } }]],
    ["Kimi", 400, error("invalid_request_error", "Your request exceeded model token limit: 262144")],
    ["MiniMax", 400, error("invalid_params", "invalid params, context window exceeds limit (2013)")],
    ["Z.ai", 400, { error: { code: "1261", message: "Prompt exceeds max length" } }],
    ["Ollama", 400, { error: "prompt too long; exceeded max context length by 112 tokens" }],
    ["llama.cpp", 400, error("exceed_context_size_error", "the request exceeds the available context size, try increasing it")],
    ["llama.cpp, as a failure of its own", 500, error("server_error", "the request exceeds the available context size")],
  ])("knows a request that is longer than the window: %s, %d", async (_, status, body) => {
    const { error: thrown, wire } = await failure([plain(status, body)]);
    expect(thrown).toMatchObject({ code: "llm_refused", overflow: true });
    expect(wire.requests).toHaveLength(1);
  });

  it.each([
    [429, error("rate_limit_error", "This request would exceed your organization's rate limit of 30,000 input tokens per minute.")],
    [400, error("invalid_request_error", "max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens")],
    [402, error("billing_error", "Your credit balance is too low")],
  ])("takes no other refusal for one: %d", async (status, body) => {
    const { error: thrown } = await failure([plain(status, body)], { maxRetries: 0 });
    expect(thrown.overflow).toBeUndefined();
  });

  it("heeds x-should-retry: false", async () => {
    const { wire } = await failure([plain(500, error("api_error"), { "x-should-retry": "false" })]);
    expect(wire.requests).toHaveLength(1);
  });

  it("knows an error that comes after 200, as an event or as a body", async () => {
    const event: Event = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
    const { ask, wire } = await against([stream([start(), event]), plain(200, event), stream(whole)]);
    expect(await ask()).toMatchObject({ stop: "end" });
    expect(wire.requests).toHaveLength(3);
    const refused = await failure([stream([start(), { type: "error", error: { type: "invalid_request_error", message: "bad" } }])]);
    expect(refused.error).toMatchObject({ code: "llm_refused", message: expect.stringContaining("bad") });
    expect(refused.wire.requests).toHaveLength(1);
  });

  it("says what can't be reached", async () => {
    const wire = await startWire(stream(whole));
    await wire.close();
    const llm = llmFor({ ...plainEndpoint, baseUrl: wire.url }, { maxRetries: 0, clock: fakeClock() });
    await expect(llm.complete(asking("Hi"))).rejects.toMatchObject({
      code: "llm_unreachable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("never shows the key, even if the provider does", async () => {
    const secret = crypto.randomUUID();
    const { error: thrown } = await failure([plain(401, error("authentication_error", `Incorrect key ${secret}`))], {
      key: { kind: "x-api-key", value: secret },
    });
    expect(thrown.message).toContain("[key]");
    expect(thrown.message).not.toContain(secret);
  });

  it("uses the fetch that it is given", async () => {
    const asked: string[] = [];
    const fetcher: typeof fetch = async (input, init) => {
      asked.push(String(input));
      return fetch(input, init);
    };
    const { ask, wire } = await against([stream(whole)], { fetch: fetcher });
    await ask();
    expect(asked).toEqual([`${wire.url}/v1/messages`]);
  });
});
