/** A database with a corporation in it, and the dashboard over it. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@libsql/client";
import { drizzle } from "drizzle-orm/libsql";
import type { Hono } from "hono";
import { pricesOf } from "#adapters/prices/index.ts";
import { libsqlStore } from "#adapters/store/libsql.ts";
import * as schema from "#adapters/store/schema.ts";
import { database } from "#adapters/store/sql.ts";
import { defaultCapabilities } from "#core/capability.ts";
import type { FactoryFacts } from "#core/envelope.ts";
import { noUsage } from "#core/ledger.ts";
import { defaultLimits } from "#core/limits.ts";
import { defaultPersonas } from "#core/persona.ts";
import type { Receipt } from "#core/receipt.ts";
import type { Clock } from "#ports/clock.ts";
import type { Store } from "#ports/store.ts";
import { dashboardApp } from "../../dashboard/app.tsx";
import { dashboardDb } from "../../dashboard/db.ts";
import { sha256 } from "../../dashboard/gate.ts";
import { rebuildDaily } from "../../scripts/ledger/rebuild-daily.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";

export interface Seeded {
  app: Hono;
  store: Store;
  insert: Inserts;
  /** A cookie header of an open session, for `app.request` on http://localhost. */
  cookie: string;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  text(path: string): Promise<string>;
  close(): Promise<void>;
}

type Row<K extends "factories" | "tasks" | "attempts" | "taskEvents" | "usages" | "incidents" | "letters" | "outbox"> =
  (typeof schema)[K]["$inferInsert"];

interface Inserts {
  factory(row: Partial<Row<"factories">> & { facts?: Partial<FactoryFacts> | null }): Promise<void>;
  task(row: Partial<Row<"tasks">> & { id: string; receipt?: Partial<Receipt> }): Promise<void>;
  attempt(row: Partial<Row<"attempts">> & { task: string }): Promise<void>;
  event(row: Partial<Row<"taskEvents">> & { task: string }): Promise<void>;
  usage(row: Partial<Row<"usages">> & { id: string }): Promise<void>;
  incident(row: Partial<Row<"incidents">>): Promise<void>;
  letter(row: Partial<Row<"letters">> & { key: string }): Promise<void>;
  order(row: Partial<Row<"outbox">> & { task: string }): Promise<void>;
  /** As every write of the store does for what a page could show. */
  changed(): Promise<void>;
}

export async function seeded(clock: Clock): Promise<Seeded> {
  const dir = await mkdtemp(join(tmpdir(), "uac-dashboard-"));
  const client = createClient({ url: `file:${join(dir, "hq.db")}` });
  await migrateDatabase(client);
  const store = libsqlStore(client, pricesOf());
  const app = dashboardApp({ db: dashboardDb(client), access: store.access, clock, hqUrl: null });
  const cookie = "uac=session-of-the-tests";
  await store.access.addLogin("login", clock.now() + 1000);
  await store.access.redeemLogin("login", { hash: await sha256("session-of-the-tests"), expiresAt: clock.now() + 3_600_000 }, clock.now());
  const get: Seeded["get"] = async (path, headers = {}) => app.request(path, { headers: { cookie, ...headers } });
  return {
    app,
    store,
    insert: inserts(client, clock, store),
    cookie,
    get,
    text: async (path) => (await get(path)).text(),
    close: async () => {
      client.close();
      await rm(dir, { recursive: true });
    },
  };
}

export function factsOf(part: Partial<FactoryFacts> = {}): FactoryFacts {
  return {
    name: "desk-1",
    role: "branch",
    personas: defaultPersonas.branch,
    capabilities: defaultCapabilities("branch"),
    provider: "anthropic",
    model: "a-model",
    workspaces: ["demo"],
    slots: 2,
    version: "0.1.0",
    startedAt: 0,
    ...part,
  };
}

export const patch = `diff --git a/src/sum.js b/src/sum.js
index 3f2a1b0..8c1d2e4 100644
--- a/src/sum.js
+++ b/src/sum.js
@@ -1,5 +1,5 @@
 export function sum(numbers) {
   let total = 0;
-  for (let i = 1; i < numbers.length; i++) total += numbers[i];
+  for (const number of numbers) total += number;
   return total;
 }
diff --git a/README.md b/README.md
new file mode 100644
index 0000000..e69de29
--- /dev/null
+++ b/README.md
@@ -0,0 +1,2 @@
+# Sums
+Adds numbers.
`;

export function receiptOf(part: Partial<Receipt> = {}): Receipt {
  return {
    verdict: "verified",
    why: "the tests failed before and pass now",
    base: "3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a",
    head: "8c1d2e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d",
    branch: "uac/t_0001-1",
    diffstat: { files: 2, insertions: 3, deletions: 1, text: " README.md | 2 ++\n src/sum.js | 2 +-" },
    patch,
    patchSha256: "f".repeat(64),
    commands: [
      { command: "npm test", exitCode: 1, durationMs: 830 },
      { command: "node -e 'console.log(1)'", exitCode: 0, durationMs: 41 },
    ],
    testsBefore: {
      command: "npm test",
      exitCode: 1,
      durationMs: 812,
      tail: "not ok 1 - sums\nexpected 6, got 5",
      counted: { ran: 4, skipped: 0 },
    },
    usage: { cost: 1_234_000_000, calls: 14, unpriced: 1, usage: { ...noUsage, uncachedIn: 12_000, cacheRead: 300_000, output: 345 } },
    testsAfter: { command: "npm test", exitCode: 0, durationMs: 790, tail: "ok 1 - sums", counted: { ran: 4, skipped: 0 } },
    steps: 6,
    wallMs: 34_200,
    testsOfBase: null,
    flags: [],
    limitsHit: [],
    approvals: [],
    ...part,
  };
}

function inserts(client: Client, clock: Clock, store: Store): Inserts {
  const [db, tables] = [drizzle(client), database(client)];
  const now = clock.now();
  return {
    async factory({ facts, ...row }) {
      const id = row.id ?? "desk-1";
      await db.insert(schema.factories).values({
        id,
        name: id,
        role: "branch",
        status: "active",
        kid: `kid-${id}`,
        keyJson: "{}",
        factsJson: facts === null ? null : JSON.stringify(factsOf({ name: id, ...facts })),
        rttMs: 43,
        enrolledAt: now - 86_400_000,
        lastHeartbeatAt: now - 12_000,
        connectedSince: now - 3 * 3_600_000,
        statusAt: now - 86_400_000,
        ...row,
      });
    },
    async task({ receipt, ...row }) {
      await db.insert(schema.tasks).values({
        chat: 1,
        title: "Make the tests pass",
        instruction: "In demo, make the tests pass.",
        kind: "coder",
        workspace: "demo",
        limitsJson: JSON.stringify(defaultLimits),
        requireVerified: false,
        state: "queued",
        epoch: 1,
        receiptJson: receipt ? JSON.stringify(receiptOf(receipt)) : null,
        receivedAt: now - 60_000,
        createdAt: now - 57_000,
        updatedAt: now - 57_000,
        ...row,
      });
    },
    async attempt(row) {
      await db.insert(schema.attempts).values({
        epoch: 1,
        factory: "desk-1",
        persona: "Lisa",
        routeReason: "desk-1 has a VP coder, has the workspace demo",
        dispatchedAt: now - 56_000,
        ...row,
      });
    },
    async event(row) {
      await db.insert(schema.taskEvents).values({ epoch: 1, at: now, kind: "created", text: "", ...row });
    },
    async usage(row) {
      await db.insert(schema.usages).values({
        epoch: 1,
        step: 1,
        factory: "desk-1",
        persona: "Lisa",
        provider: "anthropic",
        model: "a-model",
        at: now - 30_000,
        recordedAt: now - 20_000,
        durationMs: 1800,
        uncachedIn: 1200,
        cacheRead: 0,
        write5m: 300,
        write1h: 0,
        output: 240,
        reasoning: 0,
        source: "reported",
        cost: 4_200_000,
        billed: row.billing === undefined ? (row.cost === undefined ? 4_200_000 : row.cost) : 0,
        outcome: "ok",
        ...row,
      });
      await rebuildDaily(tables);
    },
    async incident(row) {
      await db.insert(schema.incidents).values({ at: now - 5000, kind: "forged_entry", text: "not an envelope", digest: "d", ...row });
    },
    async letter(row) {
      await db.insert(schema.letters).values({ chat: 1, bodyJson: "{}", createdAt: now, notBefore: now, ...row });
    },
    async order(row) {
      await db.insert(schema.outbox).values({ factory: "desk-1", epoch: 1, order: "sealed", createdAt: now, notBefore: now, ...row });
    },
    async changed() {
      await store.next("change_seq");
    },
  };
}
