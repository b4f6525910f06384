/** A headquarters on real parts: libSQL on a file, the memory bus, real signatures; a chat that records, a scripted model, a clock by hand. */
import { randomBytes, randomInt } from "node:crypto";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@libsql/client";
import { memoryBus, memoryStreams } from "#adapters/bus/memory.ts";
import { manualClock } from "#adapters/clock/manual.ts";
import { countingIds } from "#adapters/ids/counting.ts";
import { meteredLlm, type Script, scriptedLlm } from "#adapters/llm/scripted.ts";
import { jsonLog } from "#adapters/log/json.ts";
import { pricesOf } from "#adapters/prices/index.ts";
import { knownValues } from "#adapters/redactor/known-values.ts";
import { joseSigner, joseVerifier, newKeyPair } from "#adapters/signer/jose.ts";
import { libsqlStore } from "#adapters/store/libsql.ts";
import { defaultCapabilities } from "#core/capability.ts";
import type { Body, FactoryFacts, Kind, Result } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { defaultLimits } from "#core/limits.ts";
import { defaultPersonas } from "#core/persona.ts";
import type { Delegation } from "#factory/delegate.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import { parseHqProfile, secretsOf } from "#factory/profile.ts";
import { recoverLost } from "#factory/recover.ts";
import { seal } from "#factory/seal.ts";
import { settleSaid, tellOwner } from "#factory/settle.ts";
import { waitingLine } from "#factory/waiting-line.ts";
import type { Bus } from "#ports/bus.ts";
import type { Chat, Delivered, Delivery } from "#ports/chat.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";
import { quietProviders } from "../support/endpoint.ts";
import { quietBeat } from "../support/heartbeats.ts";

export const owner = 4711;
export const startMs = 1_900_000_000_000;

const secret = () => randomBytes(24).toString("base64url");
const hqKeys = await newKeyPair();

/** HQ's environment, whole; its secrets are made anew in each run. */
export const hqEnv: Readonly<Record<string, string>> = {
  DATABASE_URL: "file:hq.db",
  BUS_URL: "redis://127.0.0.1:1",
  TELEGRAM_BOT_TOKEN: `${randomInt(1e9, 9e9)}:${randomBytes(20).toString("hex")}`,
  TELEGRAM_WEBHOOK_SECRET: secret(),
  TELEGRAM_OWNER_IDS: String(owner),
  HQ_SIGNING_KEY: hqKeys.privateJwk,
  PUBLIC_URL: "https://hq.example",
  ANTHROPIC_API_KEY: secret(),
};

const folder = mkdtempSync(join(tmpdir(), "uac-hq-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
/** Migrations are run once; every headquarters begins with a copy. */
const empty = join(folder, "empty.db");
const first = createClient({ url: `file:${empty}` });
await migrateDatabase(first);
await first.execute("pragma wal_checkpoint(truncate)");
first.close();
let count = 0;

/** A chat that takes everything down. `outcomes` are the next answers; then each letter becomes the next message. */
export function recordingChat(): Chat & { delivered: Delivery[]; outcomes: Delivered[]; texts(): string[] } {
  const delivered: Delivery[] = [];
  const outcomes: Delivered[] = [];
  let message = 1000;
  return {
    delivered,
    outcomes,
    texts: () => delivered.flatMap(({ body }) => ("content" in body ? [body.content.text] : [])),
    async deliver(delivery) {
      const outcome = outcomes.shift();
      if (outcome && !outcome.ok) return outcome;
      delivered.push(structuredClone(delivery));
      message += 1;
      return outcome ?? { ok: true, message: delivery.body.kind === "text" || delivery.body.kind === "document" ? message : null };
    },
  };
}

/** A bus whose next calls fail, with or without having had their effect. */
export function shakyBus(bus: Bus = memoryBus()): Bus & { fail(method: keyof Bus, when: "before" | "after"): void } {
  const faults = new Map<string, "before" | "after">();
  const lost = () => new UacError("bus_unavailable", "the bus is away");
  const shaky = Object.fromEntries(
    Object.entries(bus).map(([name, method]) => [
      name,
      async (...args: unknown[]) => {
        const fault = faults.get(name);
        faults.delete(name);
        if (fault === "before") throw lost();
        const result = await (method as (...args: unknown[]) => unknown)(...args);
        if (fault === "after") throw lost();
        return result;
      },
    ]),
  ) as unknown as Bus;
  return { ...shaky, fail: (method, when) => void faults.set(method, when) };
}

export interface Counts {
  sql: number;
  bus: number;
  letters: number;
  model: number;
}

export type HqBench = Awaited<ReturnType<typeof openHq>>;

export async function openHq(options: { script?: Script; env?: Record<string, string>; bus?: Bus } = {}) {
  count += 1;
  const file = join(folder, `hq-${count}.db`);
  copyFileSync(empty, file);
  const client = createClient({ url: `file:${file}` });
  // Nothing here outlives its test, so nothing need reach the disk.
  await client.execute("pragma synchronous = off");
  const counts: Counts = { sql: 0, bus: 0, letters: 0, model: 0 };
  const made = () => counts.sql + counts.bus + counts.letters + counts.model;
  /** `calls`: how many this headquarters may make, from its opening on. */
  const limits = { calls: Number.POSITIVE_INFINITY };
  const env = { ...hqEnv, ...options.env };
  const { profile, hq: settings } = parseHqProfile(env, { providers: quietProviders("scripted") });
  const clock = manualClock(startMs);
  const redactor = knownValues();
  redactor.learn(secretsOf(env));
  const lines: string[] = [];
  const chat = recordingChat();
  const streams = memoryStreams();
  const bus = shakyBus(options.bus ?? memoryBus(streams));
  const llm = scriptedLlm(options.script ?? []);
  const hq: Headquarters = {
    self: "hq",
    profile,
    settings,
    store: libsqlStore(counted(client, () => (counts.sql += 1))),
    bus: countedCalls(bus, () => (counts.bus += 1)),
    chat: countedCalls(chat, () => (counts.letters += 1)),
    llmFor: (metering) => meteredLlm({ ...llm, complete: countedCalls(llm, () => (counts.model += 1)).complete }, metering),
    life: "first",
    line: waitingLine(clock, { most: 9, waitMs: 1000 }),
    signer: await joseSigner(hqKeys.privateJwk),
    verifier: joseVerifier(),
    clock,
    ids: countingIds(),
    log: jsonLog({ write: (line) => void lines.push(line), redactor, level: "debug", clock }),
    redactor,
    priceOf: pricesOf(),
    callsLeft: () => limits.calls - made(),
  };

  return {
    hq,
    limits,
    store: hq.store,
    bus,
    chat,
    llm,
    clock,
    lines,
    counts,
    client,
    /** The bus loses everything, groups too. */
    wipe: () => streams.streams.clear(),
    /** What `work` cost in round trips. */
    async count(work: () => Promise<unknown>): Promise<Counts> {
      const before = { ...counts };
      await work();
      return Object.fromEntries(Object.entries(counts).map(([name, n]) => [name, n - before[name as keyof Counts]])) as unknown as Counts;
    },
    rows: async (sql: string, ...args: (string | number)[]) =>
      (await client.execute({ sql, args })).rows.map((row) => ({ ...row }) as Record<string, unknown>),
    /** Every row, to show that nothing changed. */
    async snapshot() {
      const tables = await client.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'");
      const contents = await Promise.all(tables.rows.map((table) => client.execute(`select * from ${table.name}`)));
      return tables.rows.map((table, i) => [table.name, contents[i]?.rows.map((row) => ({ ...row }))]);
    },
    /** A factory that is enrolled, approved and has told its facts. */
    join: (id = "desk-1", facts: Partial<FactoryFacts> = {}) => joined(hq, id, facts),
    task: (id = "t1-1-1") => required(hq, id),
    close() {
      client.close();
      for (const end of ["", "-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
    },
  };
}

export type Desk = Awaited<ReturnType<typeof joined>>;

/** A factory that joins `hq`, is approved and tells its facts. */
export async function joined(hq: Headquarters, id: string, changed: Partial<FactoryFacts>) {
  const { privateJwk } = await newKeyPair();
  const signer = await joseSigner(privateJwk);
  const { store, clock } = hq;
  const facts: FactoryFacts = {
    name: id,
    role: "branch",
    personas: defaultPersonas.branch,
    capabilities: defaultCapabilities("branch"),
    provider: "scripted",
    model: "scripted-1",
    workspaces: ["shop"],
    slots: 1,
    version: "0",
    startedAt: startMs,
    ...changed,
  };
  const beat = () => store.factories.heartbeat(id, quietBeat(facts), clock.now());
  await store.factories.enrol({ id, name: id, role: "branch", kid: signer.kid, key: signer.publicKey }, clock.now());
  await hq.bus.open(id);
  await store.factories.setStatus(id, "active", clock.now());
  await beat();
  const from = { self: id, signer, clock, ids: hq.ids };
  const sealed = async <K extends Kind>(kind: K, body: Body<K>, aud = "hq", seq = 0) =>
    (await seal(from, kind, body, { aud, corr: null, seq })).jws;

  return {
    id,
    signer,
    privateJwk,
    facts,
    sealed,
    /** Says that it is still there. */
    beat,
    async factory() {
      const factory = await store.factories.get(id);
      if (!factory) throw new Error(`${id} is not there`);
      return factory;
    },
    /** Puts an entry on the bus as the factory would. */
    say: async <K extends Kind>(kind: K, body: Body<K>) => hq.bus.publish({ factory: id, channel: "out" }, await sealed(kind, body)),
    async tell(task: string, epoch: number, seq: number, text = "edit a.ts") {
      const body = { task, epoch, seq, at: clock.now(), kind: "step" as const, persona: "Lisa", text };
      await hq.bus.publish({ factory: id, channel: "ev" }, await sealed("progress", body));
    },
    /** The orders that lie on the bus for it and that it was not given yet. */
    async orders() {
      const entries = await hq.bus.read({
        from: [{ factory: id, channel: "in" }],
        consumer: id,
        what: "new",
        count: 100,
        blockMs: 0,
      });
      const trusted = async () => ({ owner: "hq", key: hq.signer.publicKey });
      const open = entries.map((entry) => hq.verifier.open(entry.data ?? "", id, trusted, clock.now()));
      return (await Promise.all(open)).flatMap((envelope) => (envelope.kind === "order" ? [envelope] : []));
    },
  };
}

async function required(hq: Headquarters, id: string) {
  const task = await hq.store.tasks.get(id);
  if (!task) throw new Error(`task ${id} is not there`);
  return task;
}

export function wish(changed: Partial<Delegation> = {}): Delegation {
  return {
    id: "t1-1-1",
    chat: owner,
    message: 10,
    title: "Fix the tests",
    instruction: "The tests of the shop fail.",
    kind: "coder",
    workspace: "shop",
    factory: null,
    priority: 0,
    notBefore: null,
    deadline: null,
    replayOf: null,
    follow: null,
    after: [],
    limits: defaultLimits,
    requireVerified: false,
    receivedAt: startMs,
    ...changed,
  };
}

/** Settles a result and tells of it, as if it had been read from the bus. */
export async function settleResult(hq: Headquarters, factory: string, result: Result): Promise<void> {
  const news = { told: new Set<string>(), over: new Set<string>() };
  await settleSaid(hq, factory, [{ kind: "result", seq: 0, body: result }], news);
  await tellOwner(hq, news);
}

/** The judgement of a tick that read the whole bus. */
export const recover = async (hq: Headquarters) => recoverLost(hq, { at: hq.clock.now(), unread: [] });

export function resultOf(changed: Partial<Result> = {}): Result {
  return {
    task: "t1-1-1",
    epoch: 1,
    outcome: "succeeded",
    code: "finished",
    reason: "the tests pass",
    persona: "Lisa",
    summary: "Fixed it.",
    receipt: null,
    usages: [],
    log: "",
    ...changed,
  };
}

function counted(client: Client, hit: () => void): Client {
  return new Proxy(client, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      const method = value.bind(target);
      if (name !== "execute" && name !== "batch" && name !== "migrate") return method;
      return (...args: unknown[]) => {
        hit();
        return method(...args);
      };
    },
  });
}

function countedCalls<T extends object>(port: T, hit: () => void): T {
  return Object.fromEntries(
    Object.entries(port).map(([name, value]) => [
      name,
      typeof value !== "function"
        ? value
        : (...args: unknown[]) => {
            hit();
            return value(...args);
          },
    ]),
  ) as T;
}
