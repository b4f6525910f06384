/** What the tests in workerd talk to, started outside of it: databases behind Hrana, Redis, a Telegram stand-in. */
import { randomBytes, randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import type { TestProject } from "vitest/node";
import { newKeyPair } from "#adapters/signer/jose.ts";
import { startHrana } from "../../dev/hrana.ts";
import { startRedis } from "../../dev/redis.ts";
import { startTelegram } from "../../dev/telegram/start.ts";
import { startUpstashGateway } from "../../dev/upstash/start.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The Worker's variables; made anew for each run. */
    bindings: Record<string, string>;
  }
}

const secret = () => randomBytes(24).toString("base64url");

export default async function setup(project: TestProject) {
  const folder = mkdtempSync(join(tmpdir(), "uac-workers-"));
  const databaseToken = secret();
  const database = await startHrana({ file: join(folder, "hq.db"), token: databaseToken });
  await migrateDatabase(createClient({ url: database.url, authToken: databaseToken }));
  const bus = await startHrana({ file: join(folder, "bus.db"), token: databaseToken });
  const redis = await startRedis();
  const restToken = secret();
  const upstash = await startUpstashGateway({ redisUrl: redis.url, token: restToken });
  const owner = randomInt(1e8, 9e8);
  const botToken = `${randomInt(1e9, 9e9)}:${secret().replaceAll("-", "_")}abc`;
  const telegram = await startTelegram({ botToken, webhook: null, owner: { id: owner, name: "Owner" } });

  project.provide("bindings", {
    DATABASE_URL: database.url,
    DATABASE_AUTH_TOKEN: databaseToken,
    BUS_URL: redis.url,
    HQ_SIGNING_KEY: (await newKeyPair()).privateJwk,
    TELEGRAM_BOT_TOKEN: botToken,
    TELEGRAM_WEBHOOK_SECRET: secret(),
    TELEGRAM_OWNER_IDS: String(owner),
    TELEGRAM_API_ROOT: telegram.apiRoot,
    PUBLIC_URL: "https://hq.example",
    // No test here asks a model; HQ wants to know one all the same.
    ANTHROPIC_API_KEY: secret(),
    // Not read by HQ: for the tests.
    TEST_LIBSQL_BUS: bus.url,
    TEST_LIBSQL_BUS_TOKEN: databaseToken,
    TEST_UPSTASH: upstash.url,
    TEST_UPSTASH_TOKEN: restToken,
    TEST_CHAT: telegram.chatUrl,
  });

  return async () => {
    await Promise.all([telegram.close(), upstash.close(), database.close(), bus.close()]);
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
