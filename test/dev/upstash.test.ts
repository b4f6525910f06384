/** The gateway speaks Upstash's REST protocol as its documentation and its client have it. */
import { randomBytes } from "node:crypto";
import { Redis } from "@upstash/redis/cloudflare";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type RedisServer, redisCommand, startRedis } from "../../dev/redis.ts";
import { startUpstashGateway, type UpstashGateway } from "../../dev/upstash/start.ts";

const token = randomBytes(24).toString("base64url");
const bearer = { authorization: `Bearer ${token}` };
let server: RedisServer;
let gateway: UpstashGateway;

beforeAll(async () => {
  server = await startRedis();
  gateway = await startUpstashGateway({ redisUrl: server.url, token });
});
beforeEach(async () => void (await redisCommand(server.url, "FLUSHALL")));
afterAll(async () => {
  await gateway.close();
  await server.stop();
});

async function ask(path: string, init: RequestInit & { json?: unknown } = {}) {
  const { json, headers, ...rest } = init;
  const body = json === undefined ? rest.body : JSON.stringify(json);
  const response = await fetch(`${gateway.url}${path}`, {
    ...rest,
    headers: { ...bearer, ...headers },
    ...(body !== undefined && { body }),
  });
  return { status: response.status, body: await response.json(), sync: response.headers.get("upstash-sync-token") };
}
const post = (path: string, json: unknown, headers = {}) => ask(path, { method: "POST", json, headers });

describe("requests", () => {
  test("one command, in the body or in the path", async () => {
    expect(await post("/", ["SET", "a key", 1])).toMatchObject({ status: 200, body: { result: "OK" } });
    expect(await ask("/get/a%20key")).toMatchObject({ status: 200, body: { result: "1" } });
    expect(await ask("/set/b", { method: "POST", body: "from the body" })).toMatchObject({ body: { result: "OK" } });
    expect(await ask("/set/c?EX=100&NX=", { method: "POST", body: "with options" })).toMatchObject({ body: { result: "OK" } });
    expect(
      (
        await post("/pipeline", [
          ["GET", "b"],
          ["GET", "c"],
          ["TTL", "c"],
        ])
      ).body,
    ).toEqual([{ result: "from the body" }, { result: "with options" }, { result: 100 }]);
    expect((await post("/", ["GET", "nothing"])).body).toEqual({ result: null });
  });

  test("the token stands in the header or in the query; without it there is nothing", async () => {
    expect(await ask(`/ping?_token=${token}`, { headers: { authorization: "" } })).toMatchObject({ status: 200, body: { result: "PONG" } });
    for (const authorization of ["", "Bearer ", "Bearer wrong", token]) {
      const refused = await ask("/ping", { headers: { authorization } });
      expect(refused).toMatchObject({ status: 401, body: { error: "WRONGPASS invalid or missing auth token" } });
    }
  });

  test.each([
    ["/", "no json", 400],
    ["/", '{"not": "a list"}', 400],
    ["/", "[]", 400],
    ["/", '["SET", "k", {"no": "object"}]', 400],
    ["/pipeline", '["SET", "k", "v"]', 400],
    ["/multi-exec", "[]", 400],
    ["/get/%ff", "", 400],
    ["/", '["XREADGROUP", "GROUP", "g", "c", "BLOCK", "1000", "STREAMS", "s", ">"]', 400],
    ["/", '["BLPOP", "list", "0"]', 400],
    ["/pipeline", '[["MULTI"], ["EXEC"]]', 400],
    ["/", '["NOSUCH"]', 400],
  ])("%s with %s is refused", async (path, body, status) => {
    expect(await ask(path, { method: "POST", body })).toMatchObject({ status, body: { error: expect.stringMatching(/^ERR /) } });
  });

  test("other methods are 405", async () => {
    expect(await ask("/ping", { method: "DELETE" })).toMatchObject({ status: 405 });
  });
});

describe("answers", () => {
  test("each item of a pipeline is answered, its error too", async () => {
    const { status, body } = await post("/pipeline", [
      ["SET", "k", "text"],
      ["INCR", "k"],
      ["GET", "k"],
    ]);
    expect(status).toBe(200);
    expect(body).toEqual([{ result: "OK" }, { error: expect.stringMatching(/^ERR value is not an integer/) }, { result: "text" }]);
  });

  test("a transaction is answered item by item; one that was discarded with a single error, and did nothing", async () => {
    const done = await post("/multi-exec", [
      ["SET", "k", "text"],
      ["INCR", "k"],
    ]);
    expect(done).toMatchObject({ status: 200, body: [{ result: "OK" }, { error: expect.stringMatching(/^ERR value/) }] });
    const discarded = await post("/multi-exec", [["SET", "k", "new"], ["NOSUCH"]]);
    expect(discarded).toMatchObject({ status: 400, body: { error: expect.stringMatching(/^EXECABORT/) } });
    expect((await post("/", ["GET", "k"])).body).toEqual({ result: "text" });
  });

  test("transactions at once don't nest in each other", async () => {
    const many = await Promise.all(
      Array.from({ length: 40 }, () =>
        post("/multi-exec", [
          ["INCR", "n"],
          ["INCR", "n"],
        ]),
      ),
    );
    const values = many.map(({ body }) => (body as { result: number }[]).map(({ result }) => result));
    for (const [first = 0, second] of values) expect(second).toBe(first + 1);
    expect((await post("/", ["GET", "n"])).body).toEqual({ result: "80" });
  });

  test("base64 where it is asked for: every string but OK, no number, no error", async () => {
    const base64 = { "upstash-encoding": "base64" };
    const odd = "naïve 🙂\r\n";
    expect((await post("/", ["SET", "k", odd], base64)).body).toEqual({ result: "OK" });
    expect((await post("/", ["GET", "k"], base64)).body).toEqual({ result: Buffer.from(odd).toString("base64") });
    expect((await post("/", ["MGET", "k", "none"], base64)).body).toEqual({ result: [Buffer.from(odd).toString("base64"), null] });
    expect((await post("/", ["EXISTS", "k"], base64)).body).toEqual({ result: 1 });
    expect((await post("/", ["INCR", "k"], base64)).body).toEqual({ error: expect.stringMatching(/^ERR /) });
  });

  test("streams come in the shape of RESP 2", async () => {
    await post("/", ["XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"]);
    const { body } = await post("/", ["XADD", "s", "*", "e", "text"]);
    const id = (body as { result: string }).result;
    const entries = await post("/", ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"]);
    expect(entries.body).toEqual({ result: [["s", [[id, ["e", "text"]]]]] });
    expect((await post("/", ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"])).body).toEqual({ result: null });
  });

  test("the sync token comes back", async () => {
    expect((await post("/", ["PING"])).sync).toMatch(/\S/);
    expect((await post("/", ["PING"], { "upstash-sync-token": "mine" })).sync).toBe("mine");
  });
});

test("Upstash's own client, as it comes, gets what it would get from Upstash", async () => {
  const redis = new Redis({ url: gateway.url, token });
  expect(await redis.set("user", { name: "Lisa" })).toBe("OK");
  expect(await redis.get("user")).toEqual({ name: "Lisa" });
  expect(await redis.pipeline().incr("n").incr("n").exec()).toEqual([1, 2]);
  expect(await redis.multi().incr("n").get("user").exec()).toEqual([3, { name: "Lisa" }]);
});

test("a Redis that came back is found again", async () => {
  const other = await startRedis();
  const over = await startUpstashGateway({ redisUrl: other.url, token });
  const ping = () => fetch(`${over.url}/ping`, { headers: bearer }).then((response) => response.status);
  expect(await ping()).toBe(200);
  await other.kill();
  expect(await ping()).toBe(500);
  await other.start();
  expect(await ping()).toBe(200);
  await over.close();
  await other.stop();
});
