/** The metering gateway: real sockets on both of its sides. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { startModel } from "../../dev/model/server.ts";
import { closers, gatewayOn, post, smallCall } from "./gateway-bench.ts";

const ends = closers();
afterEach(ends.close);

/** A provider that does as told, and what it was asked. */
async function provider(serve: (response: ServerResponse, request: IncomingMessage) => unknown) {
  const asked: { url: string; headers: IncomingMessage["headers"]; body: string }[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    asked.push({ url: request.url ?? "", headers: request.headers, body });
    await serve(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.add(server, () => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const start =
  'data: {"type":"message_start","message":{"id":"msg_1","model":"scripted-1","usage":{"input_tokens":40,"output_tokens":1}}}\n\n';
const delta = (text: string) => `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${text}"}}\n\n`;
const stop = 'data: {"type":"message_delta","delta":{},"usage":{"output_tokens":9}}\n\ndata: {"type":"message_stop"}\n\n';
const streaming = { "content-type": "text/event-stream", "request-id": "req_1" };

describe("a call through the gateway", () => {
  it("goes out with the real key, comes back as it is, and is in the journal", async () => {
    const key = randomBytes(16).toString("hex");
    const { url, asked } = await provider((response) => void response.writeHead(200, streaming).end(start + delta("Hi") + stop));
    for (const kind of ["x-api-key", "bearer"] as const) {
      const b = ends.add(await gatewayOn({ baseUrl: url, key: { kind, value: key } }), (one) => one.close());
      const desk = b.desk({ engine: "theirs" });
      const response = await post(desk.url, desk.token, smallCall());
      expect([response.status, await response.text()]).toEqual([200, start + delta("Hi") + stop]);
      const { headers, url: path } = asked.at(-1) ?? {};
      expect([path, headers?.["x-api-key"], headers?.authorization]).toEqual([
        "/v1/messages",
        ...(kind === "bearer" ? [undefined, `Bearer ${key}`] : [key, undefined]),
      ]);
      expect(JSON.stringify(headers)).not.toContain(desk.token);
      expect(await b.journal.untold(9)).toMatchObject([
        {
          task: "t1-1-1",
          engine: "theirs",
          requestId: "req_1",
          messageId: "msg_1",
          usage: { uncachedIn: 40, output: 9 },
          source: "reported",
        },
      ]);
      expect(await b.reserved()).toBe(0);
    }
  });

  it("needs a token of a desk that is open, as a key or a bearer token", async () => {
    const { url, asked } = await provider((response) => void response.writeHead(200, streaming).end(start + stop));
    const b = ends.add(await gatewayOn({ baseUrl: url }), (one) => one.close());
    const desk = b.desk();
    const bearer = { headers: { authorization: `Bearer ${desk.token}` } };
    expect((await post(desk.url, "", smallCall(), bearer)).status).toBe(200);
    for (const token of ["", "wrong", `${desk.token}x`]) {
      const response = await post(desk.url, token, smallCall());
      expect([response.status, await response.json()]).toMatchObject([401, { type: "error", error: { type: "authentication_error" } }]);
    }
    await desk.close();
    expect((await post(desk.url, desk.token, smallCall())).status).toBe(401);
    expect(asked).toHaveLength(1);
  });

  it("reaches only what the desk was opened for, and only addresses of a wire", async () => {
    const { url, asked } = await provider((response) => void response.writeHead(200, { "content-type": "application/json" }).end("{}"));
    const b = ends.add(await gatewayOn({ baseUrl: `${url}/base/` }), (one) => one.close());
    const desk = b.desk();
    const ask = async (path: string, method = "POST") => {
      const init = { method, headers: { "x-api-key": desk.token }, ...(method === "POST" && { body: "{}" }) };
      return (await fetch(new URL(desk.url).origin + path, init)).status;
    };
    expect(await ask("/scripted/v1/messages/count_tokens?beta=true")).toBe(200);
    expect(await ask("/scripted/v1/models?limit=2", "GET")).toBe(200);
    expect(asked.map((one) => one.url)).toEqual(["/base/v1/messages/count_tokens?beta=true", "/base/v1/models?limit=2"]);
    for (const path of ["/other/v1/messages", "/scripted/v1/files", "/scripted/v1/responses", "/scripted/v1/../v1/files", "/"]) {
      expect(await ask(path), path).toBe(404);
    }
    expect(await ask("/scripted/v1/messages", "GET")).toBe(404);
    // As it is: `fetch` would take the dots out.
    for (const path of ["/scripted/v1/models/..", "/scripted/v1/models/../../x", "/scripted/v1/models/%2e%2e"]) {
      const { port } = new URL(desk.url);
      const [answered] = await once(request({ port, path, headers: { "x-api-key": desk.token } }).end(), "response");
      expect(answered.statusCode, path).toBe(404);
      answered.resume();
    }
    expect(asked).toHaveLength(2);
    expect(await b.journal.untold(9)).toEqual([]);
  });

  it("leads to OpenAI's wires too, whose base URL holds the version", async () => {
    const usage = { prompt_tokens: 9, completion_tokens: 3, input_tokens: 9, output_tokens: 3 };
    const { url, asked } = await provider((response) =>
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ id: "x", choices: [], output: [], usage })),
    );
    const b = ends.add(await gatewayOn({ baseUrl: `${url}/v1`, wire: "chat" }), (one) => one.close());
    const desk = b.desk();
    expect(desk.url).toMatch(/\/scripted\/v1$/);
    for (const path of ["/chat/completions", "/responses"]) {
      const init = { method: "POST", headers: { authorization: `Bearer ${desk.token}` }, body: '{"model":"scripted-1"}' };
      expect((await fetch(desk.url + path, init)).status).toBe(200);
    }
    expect(asked.map((one) => one.url)).toEqual(["/v1/chat/completions", "/v1/responses"]);
    expect(await b.journal.untold(9)).toMatchObject([{ usage: { uncachedIn: 9, output: 3 } }, { usage: { uncachedIn: 9, output: 3 } }]);
  });

  it("passes a refusal of the provider's on, without the key that it quotes", async () => {
    const key = randomBytes(16).toString("hex");
    const { url } = await provider((response, request) =>
      response
        .writeHead(401, { "content-type": "application/json" })
        .end(`{"error":{"message":"no such key ${request.headers["x-api-key"]}"}}`),
    );
    const b = ends.add(await gatewayOn({ baseUrl: url, key: { kind: "x-api-key", value: key } }), (one) => one.close());
    const desk = b.desk();
    const response = await post(desk.url, desk.token, smallCall());
    expect([response.status, await response.text()]).toEqual([401, '{"error":{"message":"no such key [key]"}}']);
    expect(await b.journal.untold(9)).toMatchObject([{ outcome: "failed", cost: 0 }]);
  });

  it("says that a provider can't be reached", async () => {
    const away = createServer().listen(0, "127.0.0.1");
    await once(away, "listening");
    const { port } = away.address() as AddressInfo;
    await new Promise((resolve) => away.close(resolve));
    const b = ends.add(await gatewayOn({ baseUrl: `http://127.0.0.1:${port}` }), (one) => one.close());
    const desk = b.desk();
    const response = await post(desk.url, desk.token, smallCall());
    expect([response.status, await response.json()]).toMatchObject([502, { error: { message: expect.stringContaining("ECONNREFUSED") } }]);
  });
});

describe("whoever goes", () => {
  it("takes the call with it: the provider's side is closed, and what was streamed is paid for", async () => {
    const closed = Promise.withResolvers<void>();
    const { url } = await provider((response) => {
      response.on("close", closed.resolve);
      response.writeHead(200, streaming).write(start + delta("x".repeat(300)));
    });
    const b = ends.add(await gatewayOn({ baseUrl: url }), (one) => one.close());
    const desk = b.desk();
    const stop = new AbortController();
    const response = await post(desk.url, desk.token, smallCall(), { signal: stop.signal });
    await response.body?.getReader().read();
    stop.abort();
    await closed.promise;
    await expect
      .poll(() => b.journal.untold(9))
      .toMatchObject([{ outcome: "interrupted", source: "partial", usage: { uncachedIn: 40, output: 100 } }]);
    expect(await b.reserved()).toBe(0);
  });

  it("before the provider answered at all leaves an entry too", async () => {
    const here = Promise.withResolvers<void>();
    const { url } = await provider(() => here.resolve());
    const b = ends.add(await gatewayOn({ baseUrl: url }), (one) => one.close());
    const desk = b.desk();
    const stop = new AbortController();
    const asking = post(desk.url, desk.token, smallCall(), { signal: stop.signal }).catch(String);
    await here.promise;
    stop.abort();
    await asking;
    await expect.poll(() => b.journal.untold(9)).toMatchObject([{ outcome: "interrupted", source: "estimated", cost: expect.any(Number) }]);
  });

  it("closes its desk: what is under way is broken off, and in the journal by then", async () => {
    const { url } = await provider((response) => void response.writeHead(200, streaming).write(start));
    const b = ends.add(await gatewayOn({ baseUrl: url }), (one) => one.close());
    const desk = b.desk();
    const response = await post(desk.url, desk.token, smallCall());
    await desk.close();
    expect(await b.journal.untold(9)).toMatchObject([{ outcome: "interrupted" }]);
    await expect(response.text()).rejects.toThrow();
  });
});

describe("limits", () => {
  it("of a body", async () => {
    const { url, asked } = await provider((response) => void response.writeHead(200, streaming).end(start + stop));
    const b = ends.add(await gatewayOn({ baseUrl: url }, { bodyBytes: 1000 }), (one) => one.close());
    const desk = b.desk();
    const response = await post(desk.url, desk.token, smallCall({ system: "x".repeat(2000) }));
    expect([response.status, await response.json()]).toMatchObject([413, { error: { type: "request_too_large" } }]);
    expect(asked).toEqual([]);
  });

  it("of silence: a provider that says nothing more is not waited for", async () => {
    const { url } = await provider((response) => void response.writeHead(200, streaming).write(start));
    const b = ends.add(await gatewayOn({ baseUrl: url }, { silenceMs: 700 }), (one) => one.close());
    const desk = b.desk();
    const response = await post(desk.url, desk.token, smallCall());
    await expect(response.text()).rejects.toThrow();
    expect(await b.journal.untold(9)).toMatchObject([{ usage: { uncachedIn: 40 }, source: "partial" }]);
  });

  it("of calls at once", async () => {
    const { url, asked } = await provider((response) => void response.writeHead(200, streaming).write(start));
    const b = ends.add(await gatewayOn({ baseUrl: url }, { calls: 2 }), (one) => one.close());
    const desk = b.desk();
    await Promise.all([1, 2].map(() => post(desk.url, desk.token, smallCall())));
    const response = await post(desk.url, desk.token, smallCall());
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "5"]);
    expect(asked).toHaveLength(2);
  });

  it("of memory: what a slow client does not take is not asked for", async () => {
    let sent = 0;
    const megabyte = delta("x".repeat(1024 * 1024));
    const { url } = await provider(async (response) => {
      response.writeHead(200, streaming).write(start);
      for (let i = 0; i < 200 && !response.destroyed; i += 1) {
        sent += 1;
        if (!response.write(megabyte)) await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
      }
      response.end();
    });
    const b = ends.add(await gatewayOn({ baseUrl: url }), (one) => one.close());
    const desk = b.desk();
    const { port, pathname } = new URL(desk.url);
    const socket = ends.add(connect(Number(port), "127.0.0.1"), (one) => one.destroy());
    const body = smallCall();
    socket.write(
      `POST ${pathname}/v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: ${desk.token}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    // Nobody reads the socket. What was sent stands still before long, far below all of it.
    let last = -1;
    await expect
      .poll(
        async () => {
          await turn();
          const still = sent > 0 && sent === last;
          last = sent;
          return still;
        },
        { interval: 500, timeout: 20_000 },
      )
      .toBe(true);
    expect(sent).toBeLessThan(100);
  });
});

it("refuses over budget in the words of the wire, before anything is sent", async () => {
  const model = ends.add(await startModel(), (one) => one.close());
  const b = ends.add(await gatewayOn({ baseUrl: model.url }), (one) => one.close());
  const desk = b.desk({ usd: 600_000 });
  const first = await post(desk.url, desk.token, smallCall());
  expect(first.status).toBe(200);
  await first.text();
  const refused = await post(desk.url, desk.token, smallCall({ max_tokens: 200 }));
  expect([refused.status, await refused.json()]).toMatchObject([
    402,
    {
      type: "error",
      error: { type: "billing_error", code: "over_budget", message: expect.stringContaining("task t1-1-1's budget of $0.0006") },
    },
  ]);
  expect(model.requests).toHaveLength(1);
});
