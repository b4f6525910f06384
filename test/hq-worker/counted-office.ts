/**
 * Headquarters composed as in the Worker, each event with one of its own, on servers: libSQL over HTTP, Upstash's REST protocol, the Bot
 * API, a model. Everything that leaves is a `fetch` and is counted, whoever makes it.
 */
import { randomBytes, randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client/web";
import { busFor } from "#adapters/bus/index.ts";
import { systemClock } from "#adapters/clock/system.ts";
import { jsonLog } from "#adapters/log/json.ts";
import { newKeyPair } from "#adapters/signer/jose.ts";
import { startHrana } from "../../dev/hrana.ts";
import { startModel } from "../../dev/model/server.ts";
import { startRedis } from "../../dev/redis.ts";
import { startTelegram } from "../../dev/telegram/start.ts";
import { startUpstashGateway } from "../../dev/upstash/start.ts";
import { hqApp } from "../../hq-worker/app.ts";
import { countedCalls } from "../../hq-worker/calls.ts";
import { headquartersOn, readEnvironment, redactorFor } from "../../hq-worker/compose-core.ts";
import type { HqContext } from "../../hq-worker/context.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";
import { owner } from "../factory/headquarters.ts";

export interface Spent {
  subrequests: number;
  sql: number;
  bus: number;
  chat: number;
  model: number;
  /** What headquarters itself believes to have spent. */
  counted: number;
}

/** Headquarters as one event has it. */
export interface Event {
  context: HqContext;
  request(path: string, init?: RequestInit): Promise<Response>;
  /** What it believes to have spent. */
  counted(): number;
  /** Waits for what was left for later, and closes its connections. */
  end(): Promise<void>;
}

export type CountedOffice = Awaited<ReturnType<typeof openCountedOffice>>;

export async function openCountedOffice() {
  const dir = await mkdtemp(join(tmpdir(), "uac-budget-"));
  const secret = () => randomBytes(24).toString("hex");
  const [dbToken, busToken, apiKey, webhookSecret, botToken] = [
    secret(),
    secret(),
    secret(),
    secret(),
    `${randomInt(1e9, 9e9)}:${secret()}`,
  ];
  const redis = await startRedis();
  const [database, gateway, chat, model] = await Promise.all([
    startHrana({ file: join(dir, "hq.db"), token: dbToken }),
    startUpstashGateway({ redisUrl: redis.url, token: busToken }),
    startTelegram({ botToken, webhook: null, owner: { id: owner, name: "Owner" } }),
    startModel({ apiKey }),
  ]);
  const admin = createClient({ url: database.url, authToken: dbToken });
  await migrateDatabase(admin);
  const known = await readEnvironment({
    DATABASE_URL: database.url,
    DATABASE_AUTH_TOKEN: dbToken,
    BUS_URL: `upstash+${gateway.url}`,
    BUS_TOKEN: busToken,
    HQ_SIGNING_KEY: (await newKeyPair()).privateJwk,
    TELEGRAM_BOT_TOKEN: botToken,
    TELEGRAM_WEBHOOK_SECRET: webhookSecret,
    TELEGRAM_OWNER_IDS: String(owner),
    TELEGRAM_API_ROOT: chat.apiRoot,
    PUBLIC_URL: "https://hq.example",
    LLM_PROVIDER: "scripted",
    ANTHROPIC_BASE_URL: model.url,
    ANTHROPIC_API_KEY: apiKey,
  });
  const app = hqApp();

  function open(): Event {
    const calls = countedCalls();
    const redactor = redactorFor(known);
    const log = jsonLog({ write: console.error, redactor, level: "error", clock: systemClock });
    const libsql = (config: { url: string; authToken?: string }) => createClient({ ...config, fetch: calls.fetch });
    const client = libsql({ url: database.url, authToken: dbToken });
    const bus = busFor({ url: `upstash+${gateway.url}`, token: busToken, libsql, files: false, onRequest: calls.count });
    const core = headquartersOn({ database: client, bus, log, redactor, fetch: calls.fetch, callsLeft: calls.left }, known, (hq) => hq);
    const before = calls.left();
    const jobs: Promise<unknown>[] = [];
    const context: HqContext = {
      ...core,
      desks: { ring: async () => {} },
      later: (work) => void jobs.push(work.catch((error: unknown) => log.error("later", { error }))),
    };
    return {
      context,
      request: async (path: string, init?: RequestInit) => app.request(`https://hq.example${path}`, init, context),
      counted: () => before - calls.left(),
      async end() {
        await Promise.all(jobs);
        await bus.close();
        client.close();
      },
    };
  }

  const origins = { sql: database.url, bus: gateway.url, chat: new URL(chat.apiRoot).origin, model: model.url };

  return {
    chat,
    admin,
    /** A headquarters for one event; whoever opens it ends it. */
    open,
    /** One event from its beginning to the end of what it left for later, and what left during it. */
    async event(work: (event: Event) => Promise<unknown>): Promise<Spent> {
      const spent = { subrequests: 0, sql: 0, bus: 0, chat: 0, model: 0 };
      const real = globalThis.fetch;
      globalThis.fetch = (input, init) => {
        const url = input instanceof Request ? input.url : String(input);
        spent.subrequests += 1;
        for (const [kind, origin] of Object.entries(origins)) if (url.startsWith(origin)) spent[kind as keyof typeof origins] += 1;
        return real(input, init);
      };
      try {
        const event = open();
        await work(event);
        await event.end();
        return { ...spent, counted: event.counted() };
      } finally {
        globalThis.fetch = real;
      }
    },
    /** The owner's update, as Telegram brings it. */
    bring: (update: unknown) => (event: Event) =>
      event.request("/telegram/webhook", {
        method: "POST",
        body: JSON.stringify(update),
        headers: { "x-telegram-bot-api-secret-token": webhookSecret },
      }),
    async close() {
      admin.close();
      await Promise.all([database.close(), gateway.close(), chat.close(), model.close()]);
      await redis.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
