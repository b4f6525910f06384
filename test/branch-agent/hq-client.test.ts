import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { UacError } from "#core/errors.ts";
import type { ClaimReply, EnrolReply, EnrolRequest, HeartbeatReply, PublicKey } from "#core/hq-api.ts";
import { httpHq } from "../../branch-agent/hq-client.ts";
import { quietReply } from "../support/heartbeats.ts";

interface Seen {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

let seen: Seen[] = [];
let answer: (response: ServerResponse, request: Seen) => void = () => {};

const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const one = { method: request.method ?? "", path: request.url ?? "", headers: request.headers, body };
  seen.push(one);
  answer(response, one);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const port = (server.address() as AddressInfo).port;
const url = `http://127.0.0.1:${port}`;
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  seen = [];
});

const json = (status: number, body: unknown) => (response: ServerResponse) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

const key: PublicKey = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };
const jws = "aGVhZA.Ym9keQ.c2ln";
const claimReply: ClaimReply = { token: "a.b.c", leaseUntil: 5, resumed: false };
const heartbeatReply: HeartbeatReply = quietReply({ now: 1, stop: [{ task: "t", epoch: 1, reason: "asked" }] });
const enrolRequest: EnrolRequest = { code: "join-code-secret", factory: "homer", name: "Homer", role: "branch", key, proof: jws };
const enrolReply: EnrolReply = {
  ...{
    factory: "homer",
    hqKey: key,
    hqKid: "kid",
    busUrl: "redis://bus",
    busToken: "t",
    fingerprint: "ab12-cd34",
    status: "pending" as const,
  },
};

async function refusal(promise: Promise<unknown>): Promise<UacError> {
  const error = await promise.then(
    () => null,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(UacError);
  return error;
}

describe("what is asked", () => {
  it("is posted where HQ listens, as HQ reads it, and the reply comes back checked", async () => {
    const hq = httpHq({ url });
    answer = (response, { path }) =>
      json(200, { "/api/claim": claimReply, "/api/heartbeat": heartbeatReply, "/api/enrol": enrolReply }[path] ?? {})(response);
    await expect(hq.claim(jws)).resolves.toEqual(claimReply);
    await expect(hq.heartbeat(jws)).resolves.toEqual(heartbeatReply);
    await expect(hq.enrol(enrolRequest)).resolves.toEqual(enrolReply);
    await expect(hq.ring(jws)).resolves.toBeUndefined();
    expect(seen.map(({ method, path, headers, body }) => [method, path, headers["content-type"], body])).toEqual([
      ["POST", "/api/claim", "text/plain; charset=utf-8", jws],
      ["POST", "/api/heartbeat", "text/plain; charset=utf-8", jws],
      ["POST", "/api/enrol", "application/json", JSON.stringify(enrolRequest)],
      ["POST", "/api/doorbell", "text/plain; charset=utf-8", jws],
    ]);
  });

  it("finds HQ with and without a slash behind the origin", async () => {
    answer = json(200, claimReply);
    await httpHq({ url: `${url}/` }).claim(jws);
    expect(seen[0]?.path).toBe("/api/claim");
  });

  it("needs no body behind the doorbell", async () => {
    answer = (response) => response.writeHead(204).end();
    await expect(httpHq({ url }).ring(jws)).resolves.toBeUndefined();
  });
});

const by = { from: "headquarters" } as const;

describe("a refusal", () => {
  it.each([
    [409, "illegal_transition", "illegal_transition"],
    [400, "bad_envelope", "bad_envelope"],
    [401, "some_newer_word", "unauthenticated"],
    [403, "some_newer_word", "forbidden"],
    [404, "some_newer_word", "not_found"],
    [409, "some_newer_word", "conflict"],
    [410, "some_newer_word", "gone"],
    [413, "some_newer_word", "too_large"],
    [429, "some_newer_word", "limit_reached"],
    [418, "some_newer_word", "bad_input"],
    [400, "toString", "bad_input"],
    [403, "__proto__", "forbidden"],
  ])("of %i %s is %s, in HQ's words", async (status, word, code) => {
    answer = json(status, { ...by, error: word, message: "The code was used. Ask for another." });
    const error = await refusal(httpHq({ url }).enrol(enrolRequest));
    expect(error).toMatchObject({ code, message: "The code was used. Ask for another." });
  });

  it("says what time it is there, as an answer to a heartbeat does", async () => {
    const times: number[] = [];
    const hq = httpHq({ url, heard: (now) => times.push(now) });
    answer = json(400, { ...by, error: "bad_envelope", message: "The envelope is from the future", now: 1_700_000_000_000 });
    await refusal(hq.heartbeat(jws));
    answer = json(200, heartbeatReply);
    await hq.heartbeat(jws);
    answer = json(200, claimReply);
    await hq.claim(jws);
    expect(times).toEqual([1_700_000_000_000, heartbeatReply.now]);
  });

  it("takes the time from nobody but headquarters", async () => {
    const times: number[] = [];
    const hq = httpHq({ url, heard: (now) => times.push(now) });
    for (const reply of [json(400, { error: "bad_envelope", message: "x", now: 5 }), json(200, { now: 5 }), json(502, { now: 5 })]) {
      answer = reply;
      await refusal(hq.heartbeat(jws));
    }
    await hq.ring(jws).catch(() => undefined);
    answer = json(200, { now: 5 });
    await hq.ring(jws);
    expect(times).toEqual([]);
  });

  it("of endless length is cut", async () => {
    answer = json(403, { ...by, error: "forbidden", message: "x".repeat(5000) });
    expect((await refusal(httpHq({ url }).claim(jws))).message.length).toBeLessThanOrEqual(500);
  });
});

describe("anything else is hq_unreachable", () => {
  const html = (status: number) => (response: ServerResponse) =>
    response.writeHead(status, { "content-type": "text/html" }).end("<!doctype html><title>Gateway</title>");

  it.each([
    ["5xx, even in HQ's form", json(500, { ...by, error: "internal", message: "x" })],
    ["503", json(503, { ...by, error: "forbidden", message: "x" })],
    ["a proxy's page with 502", html(502)],
    ["a proxy's page with 403", html(403)],
    ["a captive portal with 200", html(200)],
    ["a reply of another form", json(200, { ...claimReply, leaseUntil: "soon" })],
    ["a reply with more in it", json(200, { ...claimReply, approved: true })],
    ["an empty reply", (response: ServerResponse) => response.writeHead(200).end()],
    ["a gateway's JSON", json(403, { error: "forbidden", message: "Access denied" })],
    ["a gateway's JSON from another house", json(401, { from: "gateway", error: "unauthenticated", message: "Sign in" })],
    ["404 without HQ's words", json(404, { nothing: true })],
    ["a torn connection", (response: ServerResponse) => response.destroy()],
    [
      "a torn body",
      (response: ServerResponse) => response.writeHead(200, { "content-length": "100" }).write("{", () => response.destroy()),
    ],
    [
      "a reply beyond all measure",
      (response: ServerResponse) => response.writeHead(200).end(JSON.stringify(claimReply).padEnd(1024 * 1024 + 1)),
    ],
  ])("%s", async (_, reply) => {
    answer = reply;
    const error = await refusal(httpHq({ url }).claim(jws));
    expect(error.code).toBe("hq_unreachable");
    expect(error.message).not.toContain(jws);
  });

  it("and says what it was", async () => {
    answer = (response) =>
      response.writeHead(403, { "content-type": "application/json", server: `gate/1.2${"x".repeat(100)}` }).end('{"error":"forbidden"}');
    const { message } = await refusal(httpHq({ url }).heartbeat(jws));
    expect(message).toContain("something else than headquarters answers (status 403, application/json, gate/1.2xx");
    expect(message.length).toBeLessThan(400);
    answer = html(200);
    expect((await refusal(httpHq({ url }).heartbeat(jws))).message).toContain("(status 200, text/html)");
  });

  it.each([301, 302, 303, 307, 308])("a redirect (%i): it is not followed", async (status) => {
    answer = (response) => response.writeHead(status, { location: `${url}/elsewhere` }).end();
    expect((await refusal(httpHq({ url }).claim(jws))).code).toBe("hq_unreachable");
    expect(seen.map(({ path }) => path)).toEqual(["/api/claim"]);
  });

  it("nobody there", async () => {
    const empty = createServer();
    await new Promise<void>((resolve) => empty.listen(0, "127.0.0.1", resolve));
    const { port } = empty.address() as AddressInfo;
    await new Promise((resolve) => empty.close(resolve));
    const error = await refusal(httpHq({ url: `http://127.0.0.1:${port}` }).ring(jws));
    expect(error).toMatchObject({ code: "hq_unreachable", message: expect.stringContaining("can't be reached") });
    expect(error.cause).toBeDefined();
  });

  it("no answer in time, to the headers or to the body", async () => {
    const hq = httpHq({ url, timeoutMs: 50 });
    answer = () => {};
    expect(await refusal(hq.claim(jws))).toMatchObject({ code: "hq_unreachable", message: expect.stringContaining("within 0.05 s") });
    answer = (response) => response.writeHead(200).write('{"token":');
    expect(await refusal(hq.claim(jws))).toMatchObject({ code: "hq_unreachable", message: expect.stringContaining("within 0.05 s") });
  });

  it("errors repeat neither code nor token", async () => {
    answer = html(500);
    const error = await refusal(httpHq({ url }).enrol(enrolRequest));
    expect(`${error.stack} ${JSON.stringify(error.cause)}`).not.toContain(enrolRequest.code);
  });
});

describe("HQ_URL", () => {
  it.each([
    "http://hq.example",
    "http://10.0.0.1:8787",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "http://0.0.0.0",
    "http://[::2]",
    "ftp://hq.example",
    "file:///etc/passwd",
    "javascript:1",
    "hq.example",
    "",
    "https://user:pass-word@hq.example",
  ])("%j is refused", (bad) => {
    const make = () => httpHq({ url: bad });
    expect(make).toThrow(UacError);
    expect(make).toThrow(/HQ_URL/);
    expect(make).not.toThrow(/pass-word/);
    try {
      make();
    } catch (error) {
      expect(error).toMatchObject({ code: "bad_config" });
    }
  });

  it.each(["https://hq.example", "https://hq.example:8443/", "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"])(
    "%j is fine",
    (good) => {
      expect(() => httpHq({ url: good })).not.toThrow();
    },
  );
});
