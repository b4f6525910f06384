import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { createClient as createWebClient } from "@libsql/client/web";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { busFor, busScheme } from "#adapters/bus/index.ts";
import { libsqlBus } from "#adapters/bus/libsql.ts";
import { memoryBus, memoryStreams } from "#adapters/bus/memory.ts";
import { redisBus } from "#adapters/bus/redis.ts";
import { upstashBus } from "#adapters/bus/upstash.ts";
import { type Channel, streamOf } from "#core/fleet.ts";
import { startHrana } from "../../dev/hrana.ts";
import { type RedisServer, redisCommand, startRedis } from "../../dev/redis.ts";
import { startUpstashGateway } from "../../dev/upstash/start.ts";
import { busContract, orders, read } from "../contracts/bus.contract.ts";

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

describe("over Redis", () => {
  let server: RedisServer;
  const wipe = async ({ factory, channel }: { factory: string; channel: Channel }) => {
    await redisCommand(server.url, "DEL", streamOf(factory, channel));
  };

  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  busContract("redis", async () => ({ connect: () => redisBus({ url: server.url }), wipe, stop: async () => {} }));

  busContract("upstash", async () => {
    const token = randomBytes(24).toString("base64url");
    const gateway = await startUpstashGateway({ redisUrl: server.url, token });
    return { connect: () => upstashBus({ url: gateway.url, token }), wipe, stop: gateway.close };
  });
});

describe("BUS_URL", () => {
  test.each([
    ["redis://localhost:6379", "redis"],
    ["rediss://default:pw@example.test:6379", "redis"],
    ["libsql://127.0.0.1:8080?tls=0", "libsql"],
    ["http://127.0.0.1:8080", "libsql"],
    ["file:./bus.db", "file"],
    ["https://eu1-example.upstash.io", "upstash"],
  ])("%s is %s", (url, transport) => {
    expect(busScheme(url)).toEqual({ transport, url });
  });

  test.each(["127.0.0.1", "localhost", "[::1]"])("a gateway for Upstash's REST protocol may be on %s", (host) => {
    expect(busScheme(`upstash+http://${host}:8079`)).toEqual({ transport: "upstash", url: `http://${host}:8079` });
  });

  test("Upstash's REST address needs its token", () => {
    const bus = (token: string | null) => busFor({ url: "https://example.test", token, libsql: createClient, files: true });
    expect(() => bus(null)).toThrow(expect.objectContaining({ code: "bad_config", message: expect.stringContaining("BUS_TOKEN") }));
    expect(() => bus("token")).not.toThrow();
  });

  test.each([
    "https://default:hunter22@example.test",
    "upstash+http://gateway.example:8079",
    "upstash+http://:hunter22@localhost",
    "upstash+http://",
    "amqp://user:hunter22@host",
    "redis://x:hunter22@host:port",
    "hunter22",
    "",
  ])("%s is refused without repeating it", (url) => {
    expect(() => busScheme(url)).toThrow(expect.objectContaining({ code: "bad_config", message: expect.not.stringContaining("hunter22") }));
  });
});
