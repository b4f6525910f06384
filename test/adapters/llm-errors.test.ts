import { describe, expect, it } from "vitest";
import { anthropicLlm } from "#adapters/llm/anthropic.ts";
import { giveUpAfterMs } from "#adapters/llm/retry.ts";
import { asking, fakeClock } from "../contracts/llm.contract.ts";
import { type Answer, against, type Event, end, failure, plain, start, startWire, stream, text, tool, whole } from "./llm-wire.ts";

describe("a reply that is not whole", () => {
  const cases: [string, Answer, RegExp][] = [
    ["cut before message_stop", stream([start(), ...text(0, "Half"), ...end().slice(0, 1)]), /ended before/],
    ["without any event", stream([]), /nothing of the protocol/],
    ["truncated tool JSON", stream([start(), ...tool(0, { json: '{"path":"a' }), ...end("tool_use")]), /not one JSON value/],
    ["concatenated tool JSON", stream([start(), ...tool(0, { json: '{"a":1}{"a":2}' }), ...end("tool_use")]), /not one JSON value/],
    ["an array as tool input", stream([start(), ...tool(0, { json: "[1]" }), ...end("tool_use")]), /not an object/],
    ["a string as eager tool input", stream([start(), ...tool(0, { input: "rm" }), ...end("tool_use")]), /not an object/],
    ["a delta for a block that never began", stream([start(), ...text(0, "a").slice(1), ...end()]), /never began/],
    ["a block that began twice", stream([start(), ...text(0, "a"), ...text(0, "b"), ...end()]), /twice/],
    ["a tool call without a name", stream([start(), ...tool(0, { name: "" }), ...end("tool_use")]), /no name/],
    ["HTML with 200", plain(200, "<html>Log in</html>", { "content-type": "text/html" }), /text\/html/],
    ["JSON with 200", plain(200, { id: "msg_1", content: [] }), /application\/json/],
  ];

  it.each(cases)("is llm_incomplete: %s", async (_, answer, why) => {
    const { error, wire } = await failure([answer], { maxRetries: 1 });
    expect(error.code).toBe("llm_incomplete");
    expect(error.message).toMatch(why);
    expect(wire.requests).toHaveLength(2);
  });

  it("is asked for again, and what it cost is counted", async () => {
    const cut = stream([start({ input_tokens: 10, output_tokens: 1 }), ...text(0, "Half")]);
    const { ask } = await against([cut, stream(whole)]);
    expect(await ask()).toMatchObject({
      content: [{ type: "text", text: "Hello." }],
      usage: { uncachedIn: 20, output: 6 },
      usageSource: "partial",
    });
  });

  it("leaves what it cost on the error", async () => {
    const { error } = await failure([stream([start({ input_tokens: 10, output_tokens: 1 })])], { maxRetries: 1 });
    expect(error.usage).toMatchObject({ uncachedIn: 20, output: 2 });
  });

  it("is one that says nothing more, and one that says nothing at all", async () => {
    const mute = await failure([() => {}], { silenceMs: 60, maxRetries: 0 });
    expect(mute.error).toMatchObject({ code: "llm_unreachable", message: expect.stringContaining("said nothing") });
    const stalled = await failure([stream(whole.slice(0, 3), { end: false })], { silenceMs: 400, maxRetries: 0 });
    expect(stalled.error).toMatchObject({ code: "llm_incomplete", message: expect.stringContaining("nothing more came") });
  });

  it("is not one that only pings for a while", async () => {
    const slow: Answer = (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      let pings = 0;
      const timer = setInterval(() => {
        response.write('event: ping\ndata: {"type":"ping"}\n\n');
        if (++pings < 20) return;
        clearInterval(timer);
        for (const event of whole) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
        response.end();
      }, 60);
    };
    const { ask } = await against([slow], { silenceMs: 1000, maxRetries: 0 });
    expect(await ask()).toMatchObject({ stop: "end" });
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

  it("waits as it is asked to", async () => {
    const { ask, clock } = await against([plain(429, error("rate_limit_error"), { "retry-after": "7" }), stream(whole)]);
    await ask();
    expect(clock.slept).toEqual([7000]);
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
    const llm = anthropicLlm({ provider: "anthropic", model: "m", apiKey: "k", baseUrl: wire.url, maxRetries: 0, clock: fakeClock() });
    await expect(llm.complete(asking("Hi"))).rejects.toMatchObject({
      code: "llm_unreachable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("never shows the key, even if the provider does", async () => {
    const secret = crypto.randomUUID();
    const { error: thrown } = await failure([plain(401, error("authentication_error", `Incorrect key ${secret}`))], { apiKey: secret });
    expect(thrown.message).toContain("[key]");
    expect(thrown.message).not.toContain(secret);
  });

  it("stops at once when the caller does, in the middle of a stream and between tries", async () => {
    const aborter = new AbortController();
    const { llm, wire } = await against([stream(whole.slice(0, 3), { end: false })]);
    const reply = llm.complete(asking("Hi", { signal: aborter.signal })).catch((thrown: unknown) => thrown);
    await expect.poll(() => wire.requests.length).toBe(1);
    aborter.abort();
    expect(await reply).toMatchObject({ code: "interrupted" });

    const waiting = new AbortController();
    const clock = { ...fakeClock(), sleep: async () => waiting.abort() };
    const busy = await against([plain(529, error("overloaded_error"))], { clock });
    await expect(busy.ask(asking("Hi", { signal: waiting.signal }))).rejects.toMatchObject({ code: "interrupted" });
    expect(busy.wire.requests).toHaveLength(1);
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
