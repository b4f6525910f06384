import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@libsql/client";
import { createClient as createWebClient } from "@libsql/client/web";
import { describe, expect, it, vi } from "vitest";
import { libsqlStore } from "#adapters/store/libsql.ts";
import { startHrana } from "../../dev/hrana.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";
import { storeContract } from "../contracts/store.contract.ts";

async function folder() {
  const path = await mkdtemp(join(tmpdir(), "uac-store-"));
  return { file: join(path, "hq.db"), remove: () => rm(path, { recursive: true }) };
}

storeContract("a file", async () => {
  const { file, remove } = await folder();
  const client = createClient({ url: `file:${file}` });
  await migrateDatabase(client);
  return {
    client,
    async close() {
      client.close();
      await remove();
    },
  };
});

storeContract("over HTTP", async () => {
  const { file, remove } = await folder();
  const token = randomBytes(16).toString("hex");
  const server = await startHrana({ file, token });
  const client = createWebClient({ url: server.url, authToken: token });
  await migrateDatabase(client);
  return {
    client,
    async close() {
      client.close();
      await server.close();
      await remove();
    },
  };
});

describe("an outage", () => {
  it("is told without what was asked", async () => {
    const client = createClient({ url: "file::memory:" });
    const refused = libsqlStore(client).access.session("a-secret-hash", 1);
    await expect(refused).rejects.toMatchObject({ code: "store_unavailable", message: expect.stringContaining("migrations") });
    const error = await refused.catch((thrown: Error) => thrown);
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) expect(cause.message).not.toContain("a-secret-hash");
    client.close();
    await expect(libsqlStore(client).set("a", "b")).rejects.toMatchObject({ code: "store_unavailable" });
  });

  it("is told where nobody listens, of reads, statements and batches", async () => {
    const { file, remove } = await folder();
    const server = await startHrana({ file });
    const client = createWebClient({ url: server.url });
    await server.close();
    const store = libsqlStore(client);
    const calls = await Promise.allSettled([store.get("a"), store.set("a", "b"), store.next("a"), store.controls.exchange("a", [], 1, 1)]);
    for (const call of calls) {
      expect(call).toMatchObject({
        status: "rejected",
        reason: { code: "store_unavailable", message: expect.stringContaining("ECONNREFUSED") },
      });
    }
    await remove();
  });

  it("is told by a database that never answers", async () => {
    vi.useFakeTimers();
    try {
      const silent = { execute: () => new Promise(() => {}), batch: () => new Promise(() => {}) } as unknown as Client;
      const store = libsqlStore(silent);
      const calls = [store.get("a"), store.set("a", "b"), store.controls.exchange("a", [], 1, 1)];
      const told = Promise.allSettled(calls);
      await vi.advanceTimersByTimeAsync(15_000);
      for (const call of await told) expect(call).toMatchObject({ status: "rejected", reason: { code: "store_unavailable" } });
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("migrations", () => {
  it("run once", async () => {
    const client = createClient({ url: "file::memory:" });
    expect(await migrateDatabase(client)).toBeGreaterThan(0);
    expect(await migrateDatabase(client)).toBe(0);
    await libsqlStore(client).set("a", "b");
    client.close();
  });
});
