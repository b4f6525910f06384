/** The tap on the wire: what a provider's answer used, however it comes and however it ends. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { meteredFetch } from "#adapters/llm/metered-fetch.ts";
import { limitBudgets } from "#core/budget.ts";
import { UacError } from "#core/errors.ts";
import { noUsage } from "#core/ledger.ts";
import type { Wire } from "#core/wire-usage.ts";
import { meterOn } from "../support/meter.ts";

const paths: Record<Wire, string> = { anthropic: "/v1/messages", chat: "/v1/chat/completions", responses: "/v1/responses" };
const sse = (...events: (object | string)[]) =>
  events.map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`).join("");
const text = "Sixty bytes of an answer, which makes twenty tokens of three.";
const output = Math.ceil(text.length / 3);

/** An answer in pieces of `size` bytes; `cut` errors where it would end. */
function reply(body: string, { size = 7, type = "text/event-stream", status = 200, cut = false, endless = false } = {}): Response {
  const bytes = new TextEncoder().encode(body);
  let at = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(to) {
        at += size;
        if (at - size < bytes.length) to.enqueue(bytes.slice(at - size, at));
        else if (cut) to.error(new TypeError("terminated"));
        else if (!endless) to.close();
        else await new Promise(() => {});
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, { status, headers: { "content-type": type, "request-id": "req_1" } });
}

const anthropic = {
  start: {
    type: "message_start",
    message: { id: "msg_1", model: "m-1", usage: { input_tokens: 50, cache_read_input_tokens: 7, output_tokens: 1 } },
  },
  delta: { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } },
  end: { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 30 } },
  stop: { type: "message_stop" },
};
const chat = {
  delta: { id: "chat_1", model: "m-1", choices: [{ index: 0, delta: { role: "assistant", content: text } }] },
  end: { id: "chat_1", model: "m-1", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
  usage: { id: "chat_1", choices: [], usage: { prompt_tokens: 57, prompt_tokens_details: { cached_tokens: 7 }, completion_tokens: 30 } },
};
const responses = {
  start: { type: "response.created", response: { id: "resp_1", model: "m-1", usage: null } },
  delta: { type: "response.output_text.delta", delta: text },
  end: {
    type: "response.completed",
    response: { id: "resp_1", model: "m-1", usage: { input_tokens: 57, input_tokens_details: { cached_tokens: 7 }, output_tokens: 30 } },
  },
};
const whole: Record<Wire, string> = {
  anthropic: sse(anthropic.start, anthropic.delta, anthropic.end, anthropic.stop),
  chat: sse(chat.delta, chat.end, chat.usage, "[DONE]"),
  responses: sse(responses.start, responses.delta, responses.end),
};
/** The first events of one, with all of its text. */
const begun = (wire: Wire) =>
  whole[wire]
    .split("\n\n")
    .slice(0, wire === "chat" ? 1 : 2)
    .map((event) => `${event}\n\n`)
    .join("");
const usage = { ...noUsage, uncachedIn: 50, cacheRead: 7, output: 30 };

function bench(answer: (init: RequestInit | undefined) => Response | Promise<Response>, wire: Wire = "anthropic", usd = 1e9) {
  const bounds = () => limitBudgets({ kind: "task", of: "t1-1-1", epoch: 1 }, { usd, tokens: 1_000_000 });
  const { meter, spending } = meterOn({}, { bounds });
  const sent: { url: string; init: RequestInit }[] = [];
  const metered = meteredFetch(meter, {
    provider: "scripted",
    wire,
    fetch: async (url, init) => {
      sent.push({ url: String(url), init: init ?? {} });
      return answer(init);
    },
  });
  const body = JSON.stringify({
    model: "scripted-1",
    max_tokens: 100,
    stream: true,
    messages: [{ role: "user", content: "x".repeat(300) }],
  });
  const ask = (init: RequestInit = {}) => metered(`http://127.0.0.1${paths[wire]}`, { method: "POST", body, ...init });
  return { ask, metered, spending, sent, entry: () => spending.entries()[0], estimate: Math.ceil(body.length / 3) };
}

describe.each(Object.keys(whole) as Wire[])("%s", (wire) => {
  it("a stream is passed on byte for byte, and its usage is in the ledger", async () => {
    for (const size of [1, 7, 100_000]) {
      const { ask, entry } = bench(() => reply(whole[wire], { size }), wire);
      expect(await (await ask()).text()).toBe(whole[wire]);
      expect(entry()).toMatchObject({
        usage,
        source: "reported",
        outcome: "ok",
        model: "m-1",
        requestId: "req_1",
        requestedModel: "scripted-1",
      });
    }
  });

  it("the entry is there before the end of the answer is", async () => {
    const { ask, spending } = bench(() => reply(whole[wire]), wire);
    const reader = (await ask()).body?.pipeThrough(new TextDecoderStream()).getReader();
    let got = "";
    let before = -1;
    for (let end = false; !end; ) {
      const { done, value = "" } = (await reader?.read()) ?? { done: true };
      got += value;
      if (got === whole[wire] && before < 0) before = spending.entries().length;
      end = done;
    }
    expect(before).toBe(1);
  });

  it("what comes twice is counted once", async () => {
    const events = whole[wire].split("\n\n").filter((event) => event !== "");
    const doubled = events.flatMap((event) => [event, event]).join("\n\n");
    const { ask, spending } = bench(() => reply(`${doubled}\n\n`), wire);
    await (await ask()).text();
    expect(spending.entries()).toMatchObject([{ usage, source: "reported" }]);
  });

  it("a stream that is cut costs what was streamed: failed, and never zero", async () => {
    for (const how of [{ cut: true }, {}]) {
      const { ask, entry, estimate } = bench(() => reply(`${begun(wire)}data: {"typ`, how), wire);
      await ask()
        .then((response) => response.text(), String)
        .catch(String);
      const told = { anthropic: { uncachedIn: 50, cacheRead: 7 }, chat: { uncachedIn: estimate }, responses: { uncachedIn: estimate } };
      const source = wire === "anthropic" ? "partial" : "estimated";
      expect(entry()).toMatchObject({ usage: { ...noUsage, ...told[wire], output }, source, outcome: "failed" });
      expect(entry()?.cost).toBeGreaterThan(0);
    }
  });

  it("one that its reader leaves is interrupted, and costs what was streamed", async () => {
    const { ask, entry } = bench(() => reply(begun(wire), { size: 100_000, endless: true }), wire);
    const reader = (await ask()).body?.getReader();
    await reader?.read();
    await reader?.cancel();
    expect(entry()).toMatchObject({ usage: { output }, outcome: "interrupted" });
  });

  it("one whose signal is aborted is interrupted, though nobody reads", async () => {
    const stop = new AbortController();
    const { ask, spending } = bench(() => reply(whole[wire], { endless: true }), wire);
    await ask({ signal: stop.signal });
    stop.abort();
    await expect.poll(() => spending.entries()).toMatchObject([{ outcome: "interrupted" }]);
    expect(spending.entries()[0]?.cost).toBeGreaterThan(0);
  });

  it("an answer in one piece is read too", async () => {
    const bodies: Record<Wire, object> = {
      anthropic: {
        id: "msg_1",
        model: "m-1",
        content: [{ type: "text", text }],
        usage: { ...anthropic.start.message.usage, output_tokens: 30 },
      },
      chat: { id: "chat_1", model: "m-1", choices: [{ message: { content: text } }], usage: chat.usage.usage },
      responses: { ...responses.end.response, output: [] },
    };
    const { ask, entry } = bench(() => Response.json(bodies[wire]), wire);
    expect(await (await ask()).json()).toEqual(bodies[wire]);
    expect(entry()).toMatchObject({ usage, source: "reported", outcome: "ok", model: "m-1" });
  });

  it("a whole answer that tells no usage is estimated from its request and its length", async () => {
    const untold: Record<Wire, string> = {
      anthropic: sse({ type: "message_start", message: {} }, anthropic.delta, anthropic.stop),
      chat: sse(chat.delta, chat.end, "[DONE]"),
      responses: sse(responses.delta, { type: "response.completed", response: {} }),
    };
    const { ask, entry, estimate } = bench(() => reply(untold[wire]), wire);
    await (await ask()).text();
    expect(entry()).toMatchObject({ usage: { ...noUsage, uncachedIn: estimate, output }, source: "estimated", outcome: "ok" });
  });

  it("over budget is an answer that an engine understands and does not try again; nothing is sent", async () => {
    const { ask, sent, spending } = bench(() => reply(whole[wire]), wire, 1);
    const response = await ask();
    expect(response.status).toBe(402);
    expect(response.headers.get("x-should-retry")).toBe("false");
    const { error } = (await response.json()) as { error: Record<string, string> };
    expect(error).toMatchObject({ code: "over_budget", type: wire === "anthropic" ? "billing_error" : "insufficient_quota" });
    expect(error.message).toContain("budget of");
    expect([sent, spending.entries()]).toEqual([[], []]);
  });
});

describe("a call", () => {
  it("that was refused costs nothing, and nothing is what the ledger says", async () => {
    const { ask, spending } = bench(() => Response.json({ type: "error", error: { type: "overloaded_error" } }, { status: 529 }));
    expect((await ask()).status).toBe(529);
    expect(spending.entries()).toMatchObject([{ usage: noUsage, cost: 0, source: "estimated", outcome: "failed" }]);
    expect(spending.reservations()).toEqual([]);
  });

  it("that a proxy gave up waiting for may have been worked on", async () => {
    const { ask, entry, estimate } = bench(() => new Response("late", { status: 504 }));
    await ask();
    expect(entry()).toMatchObject({ usage: { ...noUsage, uncachedIn: estimate }, source: "estimated", outcome: "failed" });
  });

  it("that never got through costs nothing; one that was lost on the way costs its input", async () => {
    const refused = new TypeError("fetch failed", { cause: Object.assign(new Error("refused"), { code: "ECONNREFUSED" }) });
    const blocked: unknown = await fetch("http://127.0.0.1:9/").catch((error: unknown) => error);
    for (const [error, tokens] of [
      [refused, false],
      [blocked, false],
      [new TypeError("fetch failed"), true],
    ] as const) {
      const { ask, entry, estimate } = bench(() => Promise.reject(error));
      await expect(ask()).rejects.toBe(error);
      expect(entry()).toMatchObject({ usage: { ...noUsage, uncachedIn: tokens ? estimate : 0 }, outcome: "failed" });
    }
  });

  it("that was left before it could be sent costs nothing, and is not sent", async () => {
    const stop = new AbortController();
    const { meter, spending } = meterOn();
    const open: typeof meter.open = (call, signal) => meter.open(call, signal).finally(() => stop.abort(new Error("left")));
    const sent: unknown[] = [];
    const metered = meteredFetch(
      { open },
      { provider: "scripted", wire: "anthropic", fetch: async (url) => reply(String(sent.push(url))) },
    );
    const body = JSON.stringify({ model: "scripted-1", max_tokens: 100 });
    await expect(metered("http://127.0.0.1/v1/messages", { method: "POST", body, signal: stop.signal })).rejects.toThrow("left");
    expect([sent, spending.reservations()]).toEqual([[], []]);
    expect(spending.entries()).toMatchObject([{ usage: noUsage, cost: 0, outcome: "interrupted" }]);
  });

  it("for several answers at once is planned as so many", async () => {
    const body = JSON.stringify({ model: "scripted-1", max_tokens: 1000, n: 8, messages: [] });
    const { ask, sent } = bench(() => reply(whole.chat), "chat", 30_000_000);
    expect((await ask({ body: body.replace('"n":8', '"n":1') })).status).toBe(200);
    expect([(await ask({ body })).status, sent.length]).toEqual([402, 1]);
  });

  it("in the background, whose end no meter would see, is refused", async () => {
    const { ask, sent } = bench(() => reply(whole.responses), "responses");
    const response = await ask({ body: JSON.stringify({ model: "scripted-1", background: true, input: "Hi" }) });
    expect([response.status, sent]).toEqual([400, []]);
    expect(await response.text()).toContain("background");
  });

  it("with an error inside a 200 failed, and costs what was told", async () => {
    const { ask, entry } = bench(() => reply(sse(anthropic.start, { type: "error", error: { type: "overloaded_error" } })));
    await (await ask()).text();
    expect(entry()).toMatchObject({ usage: { uncachedIn: 50, cacheRead: 7, output: 1 }, source: "partial", outcome: "failed" });
  });

  it("answered with a page is passed on, and failed", async () => {
    const { ask, entry } = bench(() => reply("<html>Log in</html>", { type: "text/html" }));
    expect(await (await ask()).text()).toBe("<html>Log in</html>");
    expect(entry()).toMatchObject({ source: "estimated", outcome: "failed" });
  });

  it("says which step and try it is in headers that the provider never sees", async () => {
    const { ask, sent, entry } = bench(() => reply(whole.anthropic));
    await (await ask({ headers: { "x-uac-step": "12", "x-uac-try": "3", "x-other": "kept" } })).text();
    expect(entry()).toMatchObject({ step: 12, try: 3 });
    expect(Object.fromEntries(new Headers(sent[0]?.init.headers))).toEqual({ "x-other": "kept" });
  });

  it("counts an image as an image, not by its bytes", async () => {
    const data = "A".repeat(3_000_000);
    const content = [{ type: "image", source: { type: "base64", media_type: "image/png", data } }];
    const { ask, entry } = bench(() => Promise.reject(new TypeError("lost")));
    await ask({ body: JSON.stringify({ model: "scripted-1", max_tokens: 1, messages: [{ role: "user", content }] }) }).catch(String);
    expect(entry()?.usage.uncachedIn).toBeGreaterThan(1600);
    expect(entry()?.usage.uncachedIn).toBeLessThan(1800);
  });

  it("follows no redirect, which would take key and prompt elsewhere, and does not tell where it leads", async () => {
    const elsewhere: string[] = [];
    const server = createServer(({ url = "", method, headers }, response) => {
      if (url.startsWith("/elsewhere")) elsewhere.push(`${method} ${headers["x-api-key"]}`);
      response.writeHead(307, { location: "/elsewhere" }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { meter, spending } = meterOn();
    const metered = meteredFetch(meter, { provider: "scripted", wire: "anthropic" });
    for (const init of [{ method: "POST", body: "{}" }, { method: "GET" }]) {
      const path = init.method === "POST" ? "/v1/messages" : "/v1/models";
      const response = await metered(origin + path, { ...init, headers: { "x-api-key": "k" } });
      expect([response.status, response.headers.get("location")]).toEqual([404, null]);
      expect(await response.text()).toContain("base URL");
    }
    expect(elsewhere).toEqual([]);
    expect(spending.entries()).toMatchObject([{ usage: noUsage, outcome: "failed" }]);
    server.close();
    server.closeAllConnections();
  });

  it("to another address, such as a count of tokens, is passed on as it is", async () => {
    const { metered, sent, spending } = bench(() => Response.json({ input_tokens: 3 }));
    await metered("http://127.0.0.1/v1/messages/count_tokens", { method: "POST", body: "{}" });
    await metered("http://127.0.0.1/v1/models");
    expect(sent.map(({ url, init }) => [new URL(url).pathname, init.method])).toEqual([
      ["/v1/messages/count_tokens", "POST"],
      ["/v1/models", "GET"],
    ]);
    expect(spending.entries()).toEqual([]);
  });

  it("whose ledger is away does not end: its reader is told so instead", async () => {
    const { ask, spending } = bench(() => reply(whole.anthropic));
    const response = await ask();
    spending.fail(new UacError("store_unavailable", "The ledger is away."));
    await expect(response.text()).rejects.toThrow("The ledger is away.");
    const next = await ask();
    expect([next.status, next.headers.get("x-should-retry")]).toEqual([503, "false"]);
  });
});
