/** A gateway as a branch has it: on loopback, over a journal on a file, with a stand-in model behind it. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { systemClock } from "#adapters/clock/system.ts";
import { randomIds } from "#adapters/ids/random.ts";
import { meteredFetch } from "#adapters/llm/metered-fetch.ts";
import { jsonLog } from "#adapters/log/json.ts";
import { pricesOf } from "#adapters/prices/index.ts";
import { knownValues } from "#adapters/redactor/known-values.ts";
import { joseSigner, newKeyPair } from "#adapters/signer/jose.ts";
import { limitBudgets } from "#core/budget.ts";
import { type Account, metering } from "#factory/metering.ts";
import { waitingLine } from "#factory/waiting-line.ts";
import type { Upstream } from "../../branch-agent/gateway/routes.ts";
import { type GatewayOptions, openGateway } from "../../branch-agent/gateway/server.ts";
import { libsqlJournal } from "../../branch-agent/journal/libsql.ts";
import { writeEnrolment } from "../../branch-agent/state.ts";

/** Ends of what a test opened, last first. */
export function closers() {
  const ends: (() => unknown)[] = [];
  return {
    add: <T>(thing: T, end: (thing: T) => unknown): T => {
      ends.unshift(() => end(thing));
      return thing;
    },
    async close() {
      for (const end of ends.splice(0)) await end();
    },
  };
}

export async function gatewayOn(upstream: Pick<Upstream, "baseUrl"> & Partial<Upstream>, limits: GatewayOptions["limits"] = {}) {
  const folder = await mkdtemp(join(tmpdir(), "uac-gateway-"));
  const open = () => createClient({ url: `file:${join(folder, "journal.db")}` });
  const journal = await libsqlJournal(open(), open());
  const lines: string[] = [];
  const log = jsonLog({ write: (line) => void lines.push(line), redactor: knownValues(), level: "debug", clock: systemClock });
  const gateway = await openGateway({
    ids: randomIds,
    log,
    limits,
    metered: (meter, { upstream: { provider, billing }, wire, engine, send }) =>
      meteredFetch(meter, { provider, wire, billing, engine, fetch: send }),
  });
  const line = waitingLine(systemClock, { most: 256, waitMs: 120_000 });
  const known: Upstream = { provider: "scripted", wire: "anthropic", key: null, billing: "metered", ...upstream };
  return {
    journal,
    gateway,
    lines,
    /** A desk for a task with a budget, as `work` opens one. */
    desk({ usd = 1_000_000_000, tokens = 100_000_000, task = "t1-1-1", engine = "uac" } = {}, account: Partial<Account> = {}) {
      const bounds = limitBudgets({ kind: "task", of: task, epoch: 1 }, { usd, tokens });
      const meter = metering(
        { spending: journal, clock: systemClock, ids: randomIds, priceOf: pricesOf(), line, life: "life_1", leaseMs: 60_000 },
        { ...{ task, epoch: 1, factory: "desk-1", persona: "Lisa", seat: "coder" }, bounds: () => bounds, spent: [], ...account },
      );
      const desk = gateway.openDesk(meter, [known], engine);
      return { ...desk, url: desk.urlFor(known.provider), meter };
    },
    reserved: async () => {
      const client = createClient({ url: `file:${join(folder, "journal.db")}` });
      const { rows } = await client.execute("select id from reservations");
      client.close();
      return rows.length;
    },
    async close() {
      await gateway.close();
      await journal.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The folder of a factory that joined, made in `folder`, and the environment that its program starts with. */
export async function joinedHome(ends: ReturnType<typeof closers>, modelUrl: string, folder = tmpdir()) {
  const home = ends.add(await mkdtemp(join(folder, "uac-joined-")), (path) => rm(path, { recursive: true, force: true }));
  const hq = await joseSigner((await newKeyPair()).privateJwk);
  const busUrl = `file:${join(home, "bus.db")}`;
  const where = { hqUrl: "http://127.0.0.1:9", hqKey: hq.publicKey, hqKid: hq.kid, busUrl, busToken: "" };
  await writeEnrolment(home, { factory: "desk-1", name: "Desk", role: "branch", ...where });
  const env = {
    ...{ PATH: process.env.PATH ?? "", UAC_HOME: home, SANDBOX: "none", LLM_PROVIDER: "scripted" },
    ...{ ANTHROPIC_BASE_URL: modelUrl, ANTHROPIC_API_KEY: randomBytes(16).toString("hex") },
  };
  return { home, env };
}

/** The body of a small call on the Anthropic wire. */
export const smallCall = (changed: object = {}) =>
  JSON.stringify({ model: "scripted-1", max_tokens: 100, stream: true, messages: [{ role: "user", content: "Hello." }], ...changed });

export function post(url: string, token: string, body: string, init: RequestInit = {}) {
  const headers = { "content-type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": token };
  return fetch(`${url}/v1/messages`, { method: "POST", headers, body, ...init });
}
