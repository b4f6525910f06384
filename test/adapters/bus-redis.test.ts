/** Redis over TCP: crashes, links that lie, users, and what an idle hour costs. What every transport does is in the contract. */
import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { blockChunkMs, redisBus } from "#adapters/bus/redis.ts";
import { hashSecret } from "#adapters/signer/digest.ts";
import { streamOf } from "#core/fleet.ts";
import type { Bus } from "#ports/bus.ts";
import { type RedisServer, redisCommand, startRedis, untilBlocked } from "../../dev/redis.ts";
import { startTcpProxy } from "../../dev/tcp-proxy.ts";
import { dataOf, newFactory, orders, read, results } from "../contracts/bus.contract.ts";

let server: RedisServer;
let closers: (() => Promise<void>)[] = [];
beforeAll(async () => {
  server = await startRedis();
});
afterEach(async () => {
  await Promise.all(closers.map((close) => close()));
  closers = [];
});
afterAll(() => server.stop());

const controls = (factory: string) => ({ factory, channel: "ctl" as const });
const both = (factory: string) => [orders(factory), controls(factory)];
const command = (...args: string[]) => redisCommand(server.url, ...args);

function connect(options: Partial<Parameters<typeof redisBus>[0]> = {}): Bus {
  const bus = redisBus({ url: server.url, ...options });
  closers.push(bus.close);
  return bus;
}

async function proxied() {
  const proxy = await startTcpProxy({ to: server.port });
  closers.push(proxy.close);
  return { proxy, url: `redis://127.0.0.1:${proxy.port}` };
}

const blocked = () => untilBlocked(server.url);

describe("a server that goes", () => {
  test("fault 5: a crash loses nothing that was confirmed, and the bus goes on by itself", async () => {
    const bus = connect();
    const factory = newFactory();
    await bus.open(factory);
    for (let i = 0; i < 50; i += 1) await bus.publish(orders(factory), String(i));
    const held = await read(bus, [orders(factory)], { count: 20 });
    await read(bus, [orders(factory)], { count: 100 });
    const waiting = expect(read(bus, [orders(factory)], { blockMs: 30_000 })).rejects.toMatchObject({ code: "bus_unavailable" });
    await blocked();
    await server.kill();
    await waiting;
    await expect(bus.publish(orders(factory), "nobody there")).rejects.toMatchObject({ code: "bus_unavailable" });
    await server.start();
    expect((await read(bus, [orders(factory)], { what: "own", count: 20 })).map(({ id }) => id)).toEqual(held.map(({ id }) => id));
    expect(await bus.length(orders(factory))).toBe(50);
    const again = read(bus, [orders(factory)], { blockMs: 30_000 });
    await bus.publish(orders(factory), "after");
    expect(dataOf(await again)).toEqual(["after"]);
  });

  test("fault 6: streams deleted under a waiting read are made again, and the wait goes on", async () => {
    const bus = connect();
    const factory = newFactory();
    await bus.open(factory);
    const waiting = read(bus, both(factory), { blockMs: 30_000 });
    await blocked();
    await command("DEL", streamOf(factory, "in"), streamOf(factory, "ctl"));
    await bus.publish(orders(factory), "after");
    expect(dataOf(await waiting)).toEqual(["after"]);
  });

  test("fault 6: after a wipe the next order finds its stream and group again, though its reader may not make them", async () => {
    const bus = connect();
    const factory = newFactory();
    await bus.open(factory);
    await command("FLUSHALL");
    await bus.publish(orders(factory), "first after the wipe");
    await bus.publish(controls(factory), "cancel");
    expect(await command("XINFO", "GROUPS", streamOf(factory, "in"))).toHaveLength(1);
    expect(dataOf(await read(bus, both(factory)))).toEqual(["first after the wipe", "cancel"]);
  });

  test("fault 15: a pending entry that was trimmed away is told as gone, and can be acknowledged", async () => {
    const bus = connect();
    const factory = newFactory();
    await bus.open(factory);
    const id = await bus.publish(orders(factory), "order");
    await read(bus, [orders(factory)]);
    await command("XTRIM", streamOf(factory, "in"), "MAXLEN", "0");
    expect(await read(bus, both(factory), { what: "own" })).toEqual([{ factory, channel: "in", id, data: null }]);
    await bus.ack(orders(factory), [id]);
    expect(await read(bus, both(factory), { what: "own" })).toEqual([]);
  });
});

describe("a link that lies", () => {
  test("fault 3: a silent one is noticed within block and limit; what was given to it is read again as own", async () => {
    const { proxy, url } = await proxied();
    const branch = connect({ url, limitMs: 1500 });
    const hq = connect();
    const factory = newFactory();
    await hq.open(factory);
    expect(await read(branch, both(factory), { blockMs: 1 })).toEqual([]);
    const waiting = read(branch, both(factory), { blockMs: 2500 });
    const failed = expect(waiting).rejects.toMatchObject({ code: "bus_unavailable" });
    await blocked();
    proxy.silence();
    await hq.publish(orders(factory), "into the silence");
    await failed;
    await expect(branch.length(orders(factory))).rejects.toMatchObject({ code: "bus_unavailable" });
    proxy.resume();
    expect(dataOf(await read(branch, both(factory), { what: "own" }))).toEqual(["into the silence"]);
    expect(await read(branch, both(factory))).toEqual([]);
  });

  test("fault 4: a reply that never comes is an error within the limit; nothing is sent twice; the next call works", async () => {
    const { proxy, url } = await proxied();
    const bus = connect({ url, limitMs: 1500 });
    const factory = newFactory();
    await bus.open(factory);
    proxy.mute();
    await expect(bus.publish(results(factory), "once")).rejects.toMatchObject({ code: "bus_unavailable" });
    proxy.resume();
    expect(await bus.length(results(factory))).toBe(1);
    expect(dataOf(await read(bus, [results(factory)]))).toEqual(["once"]);
  });

  test("fault 4: the reply to a result and its acknowledgement is lost: both happened, or neither", async () => {
    const { proxy, url } = await proxied();
    const bus = connect({ url, limitMs: 1500 });
    const factory = newFactory();
    await bus.open(factory);
    const order = await bus.publish(orders(factory), "order");
    await read(bus, [orders(factory)]);
    proxy.mute();
    await expect(bus.finish(factory, "result", order)).rejects.toMatchObject({ code: "bus_unavailable" });
    proxy.resume();
    expect(await read(bus, [orders(factory)], { what: "own" })).toEqual([]);
    expect(dataOf(await read(bus, [results(factory)]))).toEqual(["result"]);
  });

  test("one that is cut is an error at once, and the next call connects anew", async () => {
    const { proxy, url } = await proxied();
    const bus = connect({ url });
    const factory = newFactory();
    await bus.open(factory);
    const waiting = expect(read(bus, both(factory), { blockMs: 30_000 })).rejects.toMatchObject({ code: "bus_unavailable" });
    await blocked();
    proxy.cut();
    await waiting;
    expect(await bus.length(orders(factory))).toBe(0);
    proxy.refuse();
    proxy.cut();
    await expect(bus.length(orders(factory))).rejects.toMatchObject({ code: "bus_unavailable" });
    proxy.resume();
    expect(await bus.length(orders(factory))).toBe(0);
  });
});

describe("entries of others", () => {
  test("fields other than e are ignored; an entry without it is unreadable, not missing", async () => {
    const bus = connect();
    const factory = newFactory();
    await bus.open(factory);
    await command("XADD", streamOf(factory, "out"), "*", "x", "e", "e", "right", "e2", "wrong");
    await command("XADD", streamOf(factory, "out"), "*", "x", "y");
    expect(dataOf(await read(bus, [results(factory)]))).toEqual(["right", ""]);
  });
});

describe("a factory's own user", () => {
  async function admitted() {
    const hq = connect();
    const factory = newFactory();
    const password = randomBytes(24).toString("base64url");
    const login = { passwordHash: await hashSecret(password), on: true };
    await hq.open(factory);
    const user = await hq.admit(factory, login);
    if (!user) throw new Error("no user was made");
    const url = `redis://${user}:${password}@127.0.0.1:${server.port}`;
    closers.push(() => hqAgain().expel(factory));
    return { hq, factory, login, url, branch: connect({ url }) };
  }
  /** The bus of a test is closed before its users are deleted. */
  const hqAgain = () => {
    const bus = redisBus({ url: server.url });
    return { expel: (factory: string) => bus.expel(factory).finally(() => bus.close()) };
  };
  const denied = (work: Promise<unknown>) => expect(work).rejects.toMatchObject({ code: "bus_denied" });

  test("does its part and no more: attack 19", async () => {
    const { hq, factory, branch } = await admitted();
    const other = await admitted();
    const id = await hq.publish(orders(factory), "order");
    expect(dataOf(await read(branch, both(factory), { blockMs: 1000 }))).toEqual(["order"]);
    await branch.finish(factory, "result", id);
    await branch.ack(controls(factory), ["1-1"]);
    await branch.publish({ factory, channel: "ev" }, "progress", 2000);
    expect(dataOf(await read(hq, [results(factory)]))).toEqual(["result"]);

    // To itself: an order, the deletion of what it said, the reading of it, a group, a user.
    await denied(branch.publish(orders(factory), "order to itself"));
    await denied(branch.publish(controls(factory), "control to itself"));
    await denied(branch.remove(results(factory), [id]));
    await denied(branch.remove(orders(factory), [id]));
    await denied(read(branch, [results(factory)]));
    await denied(branch.length(results(factory)));
    await denied(branch.open(factory));
    expect(await branch.admit(factory, other.login)).toBeNull();
    // To another: reading, taking away, speaking for it.
    await denied(read(branch, both(other.factory)));
    await denied(branch.ack(orders(other.factory), [id]));
    await denied(branch.publish(results(other.factory), "as another"));
    await denied(branch.finish(other.factory, "as another", id));
    expect(await hq.length(results(other.factory))).toBe(0);
  });

  test("can't log in until it is let in, nor with another password", async () => {
    const { hq, factory, login, branch, url } = await admitted();
    await hq.expel(factory);
    await hq.admit(factory, { ...login, on: false });
    await denied(read(branch, both(factory)));
    await hq.admit(factory, login);
    expect(await read(branch, both(factory))).toEqual([]);
    const wrong = await read(connect({ url: url.replace(/:[^:@/]+@/, ":hunter22hunter22@") }), both(factory)).catch(
      (error: Error) => error,
    );
    expect(wrong).toMatchObject({ code: "bus_denied", message: expect.not.stringContaining("hunter22") });
  });

  test("that is renewed goes on without a break; one that is deleted is thrown out while it waits", async () => {
    const { hq, factory, login, branch } = await admitted();
    const waiting = read(branch, both(factory), { blockMs: 30_000 });
    await blocked();
    await hq.admit(factory, login);
    await hq.publish(orders(factory), "order");
    expect(dataOf(await waiting)).toEqual(["order"]);
    const thrownOut = expect(read(branch, both(factory), { blockMs: 30_000 })).rejects.toMatchObject({ code: "bus_unavailable" });
    await blocked();
    await hq.expel(factory);
    await hq.expel(factory);
    await thrownOut;
    await denied(read(branch, both(factory)));
  });

  test("that a restarted Redis has forgotten is made again from its hash", async () => {
    const { hq, factory, login, branch } = await admitted();
    await server.kill();
    await server.start();
    await denied(read(branch, both(factory)));
    await hq.admit(factory, login);
    await hq.publish(orders(factory), "order");
    expect(dataOf(await read(branch, both(factory)))).toEqual(["order"]);
  });

  test("after a wipe it is denied until headquarters opens its streams again", async () => {
    const { hq, factory, branch } = await admitted();
    await command("DEL", streamOf(factory, "in"), streamOf(factory, "ctl"));
    await denied(read(branch, both(factory)));
    await hq.open(factory);
    expect(await read(branch, both(factory))).toEqual([]);
  });

  test("is not made where headquarters' own login may not make users", async () => {
    await command("ACL", "SETUSER", "hq-without-acl", "reset", "on", ">pw", "~uac:*", "+@all", "-acl");
    const hq = connect({ url: `redis://hq-without-acl:pw@127.0.0.1:${server.port}` });
    expect(await hq.admit(newFactory(), { passwordHash: await hashSecret("secret"), on: true })).toBeNull();
    // It must not seem deleted either.
    await denied(hq.expel(newFactory()));
    await command("ACL", "DELUSER", "hq-without-acl");
  });

  test("of a factory called default leaves Redis's own user default as it is", async () => {
    const hq = connect();
    await hq.admit("default", { passwordHash: await hashSecret("secret"), on: false });
    expect(await hq.length(orders("default"))).toBe(0);
    await hq.expel("default");
  });
});

describe("what it costs", () => {
  /** Commands by name since `CONFIG RESETSTAT`, without those of this measurement. */
  async function spent(): Promise<Record<string, number>> {
    const info = String(await command("INFO", "commandstats"));
    const calls = [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name = "", n]) => [name, Number(n)] as const);
    return Object.fromEntries(calls.filter(([name]) => name !== "info" && name !== "config|resetstat"));
  }

  test("waiting is one command for each block, and an idle hour at most 120", async () => {
    const factory = newFactory();
    const hq = connect();
    await hq.open(factory);
    await hq.close();
    const branch = connect();
    await command("CONFIG", "RESETSTAT");
    for (let i = 0; i < 5; i += 1) expect(await read(branch, both(factory), { blockMs: 60 })).toEqual([]);
    expect(await spent()).toEqual({ xreadgroup: 5 });
    expect(3600 / (blockChunkMs / 1000)).toBeLessThanOrEqual(120);
  });

  test("each call is as many commands as docs/bus.md says", async () => {
    const factory = newFactory();
    const bus = connect();
    const cost = async (work: () => Promise<unknown>) => {
      await command("CONFIG", "RESETSTAT");
      await work();
      return spent();
    };
    expect(await cost(() => bus.open(factory))).toEqual({ "xgroup|create": 4 });
    expect(await cost(() => bus.publish(orders(factory), "order", 1000))).toEqual({ xadd: 1 });
    const [entry] = await read(bus, both(factory));
    expect(await cost(() => bus.finish(factory, "result", entry?.id ?? ""))).toEqual({ multi: 1, xadd: 1, xack: 1, exec: 1 });
    expect(await cost(() => read(bus, [results(factory), { factory, channel: "ev" }]))).toEqual({ xreadgroup: 1 });
    expect(await cost(() => bus.remove(results(factory), ["1-1"]))).toEqual({ xack: 1, xdel: 1 });
    expect(await cost(() => bus.ack(orders(factory), ["1-1"]))).toEqual({ xack: 1 });
    expect(await cost(() => bus.length(orders(factory)))).toEqual({ xlen: 1 });
    await command("DEL", streamOf(factory, "in"), streamOf(factory, "ctl"));
    expect(await cost(() => bus.publish(orders(factory), "order", 1000))).toEqual({ xadd: 2, "xgroup|create": 2 });
  });

  test("a connection that nobody uses is closed, and the next call has another", async () => {
    const bus = connect({ idleMs: 3000 });
    const factory = newFactory();
    const own = async () =>
      String(await command("CLIENT", "LIST", "TYPE", "normal"))
        .split("\n")
        .filter((line) => line.includes("cmd=xlen")).length;
    expect(await bus.length(orders(factory))).toBe(0);
    expect(await own()).toBe(1);
    await expect.poll(own, { timeout: 10_000, interval: 10 }).toBe(0);
    expect(await bus.length(orders(factory))).toBe(0);
  });
});
