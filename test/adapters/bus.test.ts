import { mkdtempSync, rmSync } from "node:fs";
import { createServer, connect as dial, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { createClient as createWebClient } from "@libsql/client/web";
import { createClient as createRedisClient } from "@redis/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { busScheme } from "#adapters/bus/index.ts";
import { libsqlBus } from "#adapters/bus/libsql.ts";
import { memoryBus, memoryStreams } from "#adapters/bus/memory.ts";
import { redisBus } from "#adapters/bus/redis.ts";
import { streamOf } from "#core/fleet.ts";
import type { Bus } from "#ports/bus.ts";
import { startHrana } from "../../dev/hrana.ts";
import { type BusUnderTest, busContract, dataOf, newFactory, orders, read, results } from "../contracts/bus.contract.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

busContract("memory", async () => {
  const streams = memoryStreams();
  return {
    connect: () => memoryBus(streams),
    wipe: async ({ factory, channel }) => void streams.streams.delete(streamOf(factory, channel)),
    stop: async () => {},
  };
});

/** Deletes a stream from outside, with another client. */
async function wipeTables(url: string, stream: string) {
  const client = createClient({ url });
  const tables = ["bus_streams", "bus_entries", "bus_pending"];
  await client.batch(tables.map((table) => ({ sql: `delete from ${table} where stream = ?`, args: [stream] })));
  client.close();
}

const temporary = () => mkdtempSync(join(tmpdir(), "uac-bus-"));

busContract("libsql file", async () => {
  const folder = temporary();
  const url = `file:${join(folder, "bus.db")}`;
  return {
    connect: () => libsqlBus(createClient({ url })),
    wipe: ({ factory, channel }) => wipeTables(url, streamOf(factory, channel)),
    stop: async () => rmSync(folder, { recursive: true, force: true }),
  };
});

busContract("libsql over HTTP", async () => {
  const folder = temporary();
  const server = await startHrana({ file: join(folder, "bus.db"), token: "local" });
  return {
    connect: () => libsqlBus(createWebClient({ url: server.url, authToken: "local" })),
    wipe: ({ factory, channel }) => wipeTables(`file:${join(folder, "bus.db")}`, streamOf(factory, channel)),
    stop: async () => {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
});

describe("libsql bus", () => {
  test("waits for another process's lock", async () => {
    const folder = temporary();
    const url = `file:${join(folder, "bus.db")}`;
    const bus = libsqlBus(createClient({ url }));
    await bus.open("branch");
    const other = createClient({ url });
    const lock = await other.transaction("write");
    const publishing = bus.publish(orders("branch"), "a");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await lock.execute("select * from bus_entries").then(({ rows }) => rows)).toEqual([]);
    await lock.commit();
    await publishing;
    expect(await bus.length(orders("branch"))).toBe(1);
    other.close();
    await bus.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("a server that is away is bus_unavailable, with the cause kept for the log", async () => {
    const bus = libsqlBus(createWebClient({ url: "http://127.0.0.1:1", authToken: "secret-token" }));
    await expect(bus.publish(orders("branch"), "a")).rejects.toMatchObject({ code: "bus_unavailable", cause: expect.any(Error) });
    await expect(read(bus, [orders("branch")])).rejects.toMatchObject({ code: "bus_unavailable" });
    await bus.close();
  });
});

describe("redis", () => {
  let server: RedisServer;
  let buses: Bus[] = [];
  const connect = (url = server.url, limitMs = 10_000) => {
    const bus = redisBus({ url, limitMs });
    buses.push(bus);
    return bus;
  };
  /** Raw commands of an administrator. */
  async function command(...args: string[]): Promise<unknown> {
    const client = createRedisClient({ url: server.url, RESP: 2 });
    client.on("error", () => {});
    await client.connect();
    try {
      return await client.sendCommand(args);
    } finally {
      client.destroy();
    }
  }

  beforeAll(async () => {
    server = await startRedis();
  });
  afterEach(async () => {
    await Promise.all(buses.map((bus) => bus.close()));
    buses = [];
  });
  afterAll(() => server.stop());

  busContract(
    "redis",
    async (): Promise<BusUnderTest> => ({
      connect: () => redisBus({ url: server.url }),
      wipe: async ({ factory, channel }) => void (await command("DEL", streamOf(factory, channel))),
      stop: async () => {},
    }),
  );

  test("a crash of the server loses nothing that was confirmed, and the bus goes on by itself", async () => {
    const bus = connect();
    const factory = newFactory();
    await bus.open(factory);
    for (let i = 0; i < 50; i += 1) await bus.publish(orders(factory), String(i));
    const held = await read(bus, [orders(factory)], { count: 20 });
    await read(bus, [orders(factory)], { count: 100 });
    const waiting = expect(read(bus, [orders(factory)], { blockMs: 30_000 })).rejects.toMatchObject({ code: "bus_unavailable" });
    await bus.length(orders(factory));
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

  test("a stream deleted under a waiting read is made again and the wait goes on", async () => {
    const bus = connect();
    const factory = newFactory();
    await bus.open(factory);
    const waiting = read(bus, [orders(factory), { factory, channel: "ctl" }], { blockMs: 30_000 });
    while (!String(await command("CLIENT", "LIST", "TYPE", "normal")).includes("cmd=xreadgroup"))
      await new Promise((r) => setTimeout(r, 10));
    await command("DEL", streamOf(factory, "in"), streamOf(factory, "ctl"));
    await bus.publish(orders(factory), "after");
    expect(dataOf(await waiting)).toEqual(["after"]);
  });

  test("a reply that never comes is an error within the limit; nothing is sent twice; the next call works", async () => {
    const link = await unreliableLink(server.port);
    const bus = connect(`redis://127.0.0.1:${link.port}`, 300);
    const factory = newFactory();
    await bus.open(factory);
    link.swallow = true;
    await expect(bus.publish(results(factory), "once")).rejects.toMatchObject({ code: "bus_unavailable" });
    await expect(read(bus, [results(factory)], { blockMs: 200 })).rejects.toMatchObject({ code: "bus_unavailable" });
    link.swallow = false;
    expect(await bus.length(results(factory))).toBe(1);
    expect(dataOf(await read(bus, [results(factory)], { what: "own" }))).toEqual(["once"]);
    await bus.close();
    await link.close();
  });

  test("fields other than e are ignored; an entry without it is unreadable, not missing", async () => {
    const bus = connect();
    const factory = newFactory();
    await bus.open(factory);
    await command("XADD", streamOf(factory, "out"), "*", "x", "e", "e", "right", "e2", "wrong");
    await command("XADD", streamOf(factory, "out"), "*", "x", "y");
    expect(dataOf(await read(bus, [results(factory)]))).toEqual(["right", ""]);
  });

  test("a factory with an ACL of its own can do its part and no more; HQ's next order mends what a wipe broke", async () => {
    const hq = connect();
    const factory = newFactory();
    await hq.open(factory);
    const [own, said] = [
      ["in", "ctl"],
      ["out", "ev"],
    ].map((channels) => channels.map((channel) => `~uac:f:${factory}:${channel}`));
    const may = ["+xreadgroup", "+xack", "+multi", "+exec", "+discard", "+ping", "+auth"];
    await command("ACL", "SETUSER", factory, "reset", "on", ">pw", "resetchannels", ...(own ?? []), ...may, `(+xadd ${said?.join(" ")})`);
    const branch = connect(`redis://${factory}:pw@127.0.0.1:${server.port}`);

    const id = await hq.publish(orders(factory), "order");
    expect(dataOf(await read(branch, [orders(factory)], { blockMs: 1000 }))).toEqual(["order"]);
    await branch.finish(factory, "result", id);
    await branch.publish({ factory, channel: "ev" }, "progress", 2000);
    expect(dataOf(await read(hq, [results(factory)]))).toEqual(["result"]);
    await expect(branch.publish(orders(factory), "order to itself")).rejects.toMatchObject({ code: "bus_unavailable" });
    await expect(branch.remove(results(factory), [id])).rejects.toMatchObject({ code: "bus_unavailable" });

    await command("DEL", streamOf(factory, "in"), streamOf(factory, "ctl"));
    const both = [orders(factory), { factory, channel: "ctl" as const }];
    await expect(read(branch, both)).rejects.toMatchObject({ code: "bus_unavailable" });
    await hq.publish(orders(factory), "next order");
    expect(dataOf(await read(branch, both))).toEqual(["next order"]);
    await command("ACL", "DELUSER", factory);
  });

  test("a wrong password is an error that does not repeat it", async () => {
    const bus = connect(`redis://nobody:hunter22@127.0.0.1:${server.port}`);
    const error = await bus.length(orders("branch")).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: "bus_unavailable" });
    expect((error as Error).message).not.toContain("hunter22");
  });
});

/** A TCP relay that can swallow whatever the server answers. */
async function unreliableLink(to: number) {
  const sockets = new Set<Socket>();
  const link = { port: 0, swallow: false, close: async () => {} };
  const relay = createServer((client) => {
    const upstream = dial(to, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    }
    client.pipe(upstream);
    upstream.on("data", (data) => {
      if (!link.swallow) client.write(data);
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => relay.once("listening", resolve));
  const address = relay.address();
  link.port = typeof address === "object" && address ? address.port : 0;
  link.close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => relay.close(resolve));
  };
  return link;
}

describe("BUS_URL", () => {
  test.each([
    ["redis://localhost:6379", "redis"],
    ["rediss://default:pw@example.test:6379", "redis"],
    ["libsql://127.0.0.1:8080?tls=0", "libsql"],
    ["http://127.0.0.1:8080", "libsql"],
    ["file:./bus.db", "file"],
  ])("%s is %s", (url, transport) => {
    expect(busScheme(url)).toEqual({ transport, url });
  });

  test.each([
    "https://example.test",
    "upstash+http://localhost",
    "amqp://user:hunter22@host",
    "redis://x:hunter22@host:port",
    "hunter22",
    "",
  ])("%s is refused without repeating it", (url) => {
    expect(() => busScheme(url)).toThrow(expect.objectContaining({ code: "bad_config", message: expect.not.stringContaining("hunter22") }));
  });
});
