/** Headquarters in this process, as on a VPS: its verbs, its door on loopback, its database file. Its chat takes everything at once. */
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createAdaptorServer } from "@hono/node-server";
import { createClient } from "@libsql/client";
import { busFor } from "#adapters/bus/index.ts";
import { systemClock } from "#adapters/clock/system.ts";
import { jsonLog } from "#adapters/log/json.ts";
import { newKeyPair } from "#adapters/signer/jose.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import type { Chat } from "#ports/chat.ts";
import type { Signer } from "#ports/signer.ts";
import { hqApp } from "../../hq-worker/app.ts";
import { headquartersOn, readEnvironment, redactorFor } from "../../hq-worker/compose-core.ts";
import type { HqContext } from "../../hq-worker/context.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";

export interface BenchHq {
  hq: Headquarters;
  /** Where factories ask: `http://127.0.0.1:<port>`. */
  url: string;
  /** A branch joins, and is approved. */
  admit(id: string, signer: Signer): Promise<void>;
  close(): Promise<void>;
}

export const owner = 1;

export async function openHq(busUrl: string, folder: string): Promise<BenchHq> {
  const secret = () => randomBytes(24).toString("hex");
  const url = `file:${join(folder, "hq.db")}`;
  const client = createClient({ url, timeout: 2000 });
  await migrateDatabase(client);
  const bus = busFor({ url: busUrl, token: null, libsql: createClient, files: true });
  const env = {
    DATABASE_URL: url,
    BUS_URL: busUrl,
    HQ_SIGNING_KEY: (await newKeyPair()).privateJwk,
    TELEGRAM_BOT_TOKEN: `${randomInt(1e9, 9e9)}:${secret()}`,
    TELEGRAM_WEBHOOK_SECRET: secret(),
    TELEGRAM_OWNER_IDS: String(owner),
    PUBLIC_URL: "http://127.0.0.1",
    ANTHROPIC_API_KEY: secret(),
  };
  const known = await readEnvironment(env);
  const redactor = redactorFor(known);
  const log = errorLog(redactor);
  const platform = { database: client, bus, log, redactor, callsLeft: () => Number.POSITIVE_INFINITY };
  const core = headquartersOn(platform, known, (hq) => ({ ...hq, chat: deafChat() }));

  const jobs = new Set<Promise<unknown>>();
  const context: HqContext = {
    ...core,
    // What is said later than at once is not said here.
    desks: { ring: async () => {} },
    later(work) {
      const job = work.catch((error: unknown) => log.error("work after a response failed", { error })).finally(() => jobs.delete(job));
      jobs.add(job);
    },
  };
  const app = hqApp();
  const server = createAdaptorServer({ fetch: (request) => app.fetch(request, context) });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    hq: core.hq,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async admit(id, signer) {
      const { store } = core.hq;
      await store.factories.enrol({ id, name: id, role: "branch", kid: signer.kid, key: signer.publicKey }, Date.now());
      await bus.open(id);
      await store.factories.setStatus(id, "active", Date.now());
    },
    async close() {
      if ("closeAllConnections" in server) server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await Promise.all(jobs);
      await bus.close();
      client.close();
    },
  };
}

/** Only what went wrong: a bench that logs every step measures its log. */
export function errorLog(redactor: Headquarters["redactor"]) {
  return jsonLog({ write: (line) => void process.stderr.write(`${line}\n`), redactor, level: "error", clock: systemClock });
}

function deafChat(): Chat {
  let message = 0;
  return {
    async deliver() {
      message += 1;
      return { ok: true, message };
    },
  };
}
