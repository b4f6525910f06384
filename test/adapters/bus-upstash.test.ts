/** Upstash's REST protocol with its real client: how it fails, and what it costs. What every transport does is in the contract. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { nextLookMs, upstashBus } from "#adapters/bus/upstash.ts";
import { streamOf } from "#core/fleet.ts";
import type { Bus } from "#ports/bus.ts";
import { type RedisServer, redisCommand, startRedis } from "../../dev/redis.ts";
import { startTcpProxy } from "../../dev/tcp-proxy.ts";
import { type Fault, faults } from "../../dev/upstash/faults.ts";
import { startUpstashGateway, type UpstashGateway } from "../../dev/upstash/start.ts";
import { dataOf, newFactory, orders, read, results } from "../contracts/bus.contract.ts";

const token = randomBytes(24).toString("base64url");
let server: RedisServer;
let gateway: UpstashGateway;
let bus: Bus;
let factory: string;
let requests: number;

beforeAll(async () => {
  server = await startRedis();
  gateway = await startUpstashGateway({ redisUrl: server.url, token });
});
beforeEach(async () => {
  requests = 0;
  bus = upstashBus({ url: gateway.url, token, onRequest: () => (requests += 1) });
  factory = newFactory();
  await bus.open(factory);
});
afterEach(async () => {
  gateway.play(null);
  await bus.close();
});
afterAll(async () => {
  await gateway.close();
  await server.stop();
});

const both = () => [orders(factory), { factory, channel: "ctl" as const }];
const said = (work: Promise<unknown>) => work.then(() => "nothing went wrong").catch((error: Error) => error);

describe("fault 16: what Upstash refuses, or nobody answers", () => {
  const cases: [name: keyof typeof faults, code: string, advice: RegExp][] = [
    ["unauthorized", "bus_denied", /BUS_TOKEN/],
    ["quota", "bus_unavailable", /Raise the plan/],
    ["dailyQuota", "bus_unavailable", /Raise the plan/],
    ["pendingLimit", "bus_unavailable", /acknowledged first/],
    ["html", "bus_unavailable", /proxy's page/],
    ["hang", "bus_unavailable", /no answer came in time/],
  ];

  test.each(cases)("%s is %s, told with what to do, sent once; nothing is lost", async (name, code, advice) => {
    await bus.publish(orders(factory), "before");
    // Only a call that is never answered is made impatiently.
    const limit = name === "hang" ? { limitMs: 300 } : {};
    const failing = upstashBus({ url: gateway.url, token, onRequest: () => (requests += 1), ...limit });
    const calls: Record<string, () => Promise<unknown>> = {
      publish: () => failing.publish(orders(factory), "an entry that no error repeats"),
      read: () => read(failing, both()),
      finish: () => failing.finish(factory, "an entry that no error repeats", "1-1"),
      ack: () => failing.ack(orders(factory), ["1-1"]),
      remove: () => failing.remove(orders(factory), ["1-1"]),
      length: () => failing.length(orders(factory)),
      open: () => failing.open(factory),
    };
    for (const [call, work] of Object.entries(calls)) {
      gateway.play(faults[name]);
      const before = requests;
      const error = await said(work());
      expect(error, call).toMatchObject({ code, message: expect.stringMatching(advice) });
      expect(String((error as Error).cause)).not.toContain("no error repeats");
      expect((error as Error).message).not.toContain(token);
      expect(requests - before, call).toBe(1);
    }
    await failing.close();
    // The fault is over: what was there is there, and what was refused never came.
    expect(await bus.length(results(factory))).toBe(0);
    expect(dataOf(await read(bus, both()))).toEqual(["before"]);
  });

  test("fault 4: an answer that got lost is unknown, and nothing is sent again", async () => {
    gateway.play(faults.lost);
    expect(await said(bus.publish(results(factory), "once"))).toMatchObject({ code: "bus_unavailable" });
    expect(await bus.length(results(factory))).toBe(1);

    const order = await bus.publish(orders(factory), "order");
    await read(bus, both());
    gateway.play(faults.lost);
    expect(await said(bus.finish(factory, "result", order))).toMatchObject({ code: "bus_unavailable" });
    expect(await read(bus, both(), { what: "own" })).toEqual([]);
    expect(dataOf(await read(bus, [results(factory)]))).toEqual(["once", "result"]);
  });

  test("a waiting read meets one at its next look", async () => {
    const waiting = said(read(bus, both(), { blockMs: 30_000 }));
    gateway.play(faults.quota, Number.POSITIVE_INFINITY);
    expect(await waiting).toMatchObject({ code: "bus_unavailable", message: expect.stringMatching(/Raise the plan/) });
  });

  test("a wrong token is denied and not repeated", async () => {
    const stranger = upstashBus({ url: gateway.url, token: "hunter22hunter22" });
    const error = await said(stranger.length(orders(factory)));
    expect(error).toMatchObject({ code: "bus_denied", message: expect.not.stringContaining("hunter22") });
    await stranger.close();
  });

  test("a gateway that is away, or whose Redis is, is bus_unavailable", async () => {
    const away = upstashBus({ url: "http://127.0.0.1:1", token });
    expect(await said(away.length(orders(factory)))).toMatchObject({ code: "bus_unavailable", cause: expect.any(Error) });
    await away.close();
    const lonely = await startUpstashGateway({ redisUrl: "redis://127.0.0.1:1", token });
    const alone = upstashBus({ url: lonely.url, token });
    expect(await said(alone.length(orders(factory)))).toMatchObject({ code: "bus_unavailable" });
    await alone.close();
    await lonely.close();
  });

  test("fault 3: a link that goes silent is noticed within the limit, and what was given to it is own", async () => {
    const proxy = await startTcpProxy({ to: Number(new URL(gateway.url).port) });
    const far = upstashBus({ url: `http://127.0.0.1:${proxy.port}`, token, limitMs: 1500 });
    expect(await read(far, both())).toEqual([]);
    await bus.publish(orders(factory), "order");
    proxy.mute();
    expect(await said(read(far, both()))).toMatchObject({ code: "bus_unavailable" });
    proxy.resume();
    proxy.cut();
    expect(dataOf(await read(far, both(), { what: "own" }))).toEqual(["order"]);
    await far.close();
    await proxy.close();
  });
});

/** Before the gateway, a way on which one request is held up for as long as the test likes. */
async function startSlowWay() {
  let hold: { arrived(): void; until: Promise<void> } | null = null;
  const server = createServer(async (request, response) => {
    const [body, held] = [await new Response(request as unknown as ReadableStream).text(), hold];
    hold = null;
    held?.arrived();
    await held?.until;
    const headers = { authorization: request.headers.authorization ?? "", "content-type": "application/json" };
    const reply = await fetch(`${gateway.url}${request.url}`, { method: "POST", headers, body });
    response.writeHead(reply.status, { "content-type": "application/json" }).end(await reply.text());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    holdNext() {
      const [arrived, until] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      hold = { arrived: arrived.resolve, until: until.promise };
      return { arrived: arrived.promise, release: until.resolve };
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("a look that is called off on its way", () => {
  test("takes what it takes before own is asked for", async () => {
    const way = await startSlowWay();
    const far = upstashBus({ url: way.url, token });
    await bus.publish(orders(factory), "order");
    const held = way.holdNext();
    const stop = new AbortController();
    const waiting = read(far, both(), { blockMs: 30_000, signal: stop.signal });
    await held.arrived;
    stop.abort();
    expect(await waiting).toEqual([]);
    const own = read(far, both(), { what: "own" });
    const impatient = new AbortController();
    const another = read(far, both(), { what: "own", signal: impatient.signal });
    impatient.abort();
    expect(await another).toEqual([]);
    // Whatever was sent by now is there before the look is let on.
    await far.length(orders(factory));
    await far.length(orders(factory));
    held.release();
    expect(dataOf(await own)).toEqual(["order"]);
    await far.close();
    way.close();
  });

  test("holds own up no longer than its limit", async () => {
    const way = await startSlowWay();
    const far = upstashBus({ url: way.url, token, limitMs: 300 });
    const held = way.holdNext();
    const stop = new AbortController();
    const waiting = read(far, both(), { blockMs: 30_000, signal: stop.signal });
    await held.arrived;
    stop.abort();
    await waiting;
    expect(await read(far, both(), { what: "own" })).toEqual([]);
    await far.close();
    held.release();
    way.close();
  });
});

describe("a server that lost something", () => {
  test("fault 6: after a wipe the next order finds its stream and group again", async () => {
    await redisCommand(server.url, "FLUSHALL");
    await bus.publish(orders(factory), "first after the wipe");
    expect(await redisCommand(server.url, "XINFO", "GROUPS", streamOf(factory, "ctl"))).toHaveLength(1);
    expect(dataOf(await read(bus, both()))).toEqual(["first after the wipe"]);
  });

  test("fault 15: a pending entry that was trimmed away is told as gone, and can be acknowledged", async () => {
    const id = await bus.publish(orders(factory), "order");
    await read(bus, both());
    await redisCommand(server.url, "XTRIM", streamOf(factory, "in"), "MAXLEN", "0");
    expect(await read(bus, both(), { what: "own" })).toEqual([{ factory, channel: "in", id, data: null }]);
    await bus.ack(orders(factory), [id]);
    expect(await read(bus, both(), { what: "own" })).toEqual([]);
  });
});

describe("what it costs", () => {
  async function cost(work: () => Promise<unknown>) {
    const [before, { commands }] = [requests, { ...gateway.served }];
    await work();
    return { requests: requests - before, commands: gateway.served.commands - commands };
  }

  test("each call is as many requests and billed commands as docs/bus.md says, and each request is counted", async () => {
    const opened = { ...gateway.served };
    expect(await cost(() => bus.open(factory))).toEqual({ requests: 1, commands: 4 });
    expect(await cost(() => bus.publish(orders(factory), "order", 1000))).toEqual({ requests: 1, commands: 1 });
    const [entry] = await read(bus, both());
    expect(await cost(() => bus.finish(factory, "result", entry?.id ?? ""))).toEqual({ requests: 1, commands: 2 });
    expect(await cost(() => read(bus, [results(factory), { factory, channel: "ev" }]))).toEqual({ requests: 1, commands: 1 });
    expect(await cost(() => bus.remove(results(factory), ["1-1"]))).toEqual({ requests: 1, commands: 2 });
    expect(await cost(() => bus.ack(orders(factory), ["1-1"]))).toEqual({ requests: 1, commands: 1 });
    expect(await cost(() => bus.length(orders(factory)))).toEqual({ requests: 1, commands: 1 });
    expect(await cost(() => bus.admit(factory, { passwordHash: "", on: true }))).toEqual({ requests: 0, commands: 0 });
    await redisCommand(server.url, "DEL", streamOf(factory, "in"), streamOf(factory, "ctl"));
    expect(await cost(() => bus.publish(orders(factory), "order", 1000))).toEqual({ requests: 2, commands: 4 });
    await redisCommand(server.url, "DEL", streamOf(factory, "in"), streamOf(factory, "ctl"));
    expect(await cost(() => read(bus, both()))).toEqual({ requests: 3, commands: 4 });
    expect(gateway.served.requests - opened.requests).toBe(requests - 1);
  });

  test("a wait looks less and less often, and never seldom enough to hold work up for long", () => {
    expect([0, 1000, 10_000, 60_000, 3_600_000].map(nextLookMs)).toEqual([200, 200, 1000, 6000, 10_000]);
  });
});

test("a fault is played as often as it was asked for, and ends when it is called off", async () => {
  const fault: Fault = faults.html;
  gateway.play(fault, 2);
  for (let i = 0; i < 2; i += 1) expect(await said(bus.length(orders(factory)))).toMatchObject({ code: "bus_unavailable" });
  expect(await bus.length(orders(factory))).toBe(0);
  gateway.play(fault, Number.POSITIVE_INFINITY);
  expect(await said(bus.length(orders(factory)))).toMatchObject({ code: "bus_unavailable" });
  gateway.play(null);
  expect(await bus.length(orders(factory))).toBe(0);
});
