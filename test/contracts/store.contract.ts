/** What every implementation of the Store port does. Run it with an empty, migrated database. */
import type { Client } from "@libsql/client";
import { afterAll, beforeAll, beforeEach, describe } from "vitest";
import { pricesOf } from "#adapters/prices/index.ts";
import { libsqlStore } from "#adapters/store/libsql.ts";
import { type Database, database } from "#adapters/store/sql.ts";
import type { Store } from "#ports/store.ts";
import { attemptCases } from "./store/attempts.ts";
import { budgetCases } from "./store/budgets.ts";
import { chatCases } from "./store/chat.ts";
import { controlCases } from "./store/controls.ts";
import { fleetCases } from "./store/fleet.ts";
import { interleavingCases } from "./store/interleavings.ts";
import { letterCases } from "./store/letters.ts";
import { questionCases } from "./store/questions.ts";
import { queueCases } from "./store/queue.ts";
import { recordCases } from "./store/records.ts";
import { stepCases } from "./store/steps.ts";
import { storyCases } from "./store/story.ts";
import { waitingCases } from "./store/waiting.ts";
import { watchCases } from "./store/watch.ts";

export interface OpenStore {
  client: Client;
  close(): Promise<void>;
}

/** What the cases are given: the store, and the tables themselves to see what was left in them. */
export interface Bench {
  readonly store: Store;
  readonly database: Database;
  sql(text: string, ...args: (string | number | null)[]): Promise<Record<string, unknown>[]>;
  /** Empties every table. */
  clear(): Promise<void>;
  /** Every row of every table, to show that nothing changed. */
  snapshot(): Promise<Record<string, unknown[]>>;
}

export function storeContract(name: string, open: () => Promise<OpenStore>): void {
  describe(`store: ${name}`, () => {
    let opened: OpenStore;
    let store: Store;
    let tables: string[];

    const rows = async (text: string, args: (string | number | null)[]) => {
      const result = await opened.client.execute({ sql: text, args });
      return result.rows.map((row) => ({ ...row }) as Record<string, unknown>);
    };
    const bench: Bench = {
      get store() {
        return store;
      },
      get database() {
        return database(opened.client);
      },
      sql: (text, ...args) => rows(text, args),
      async clear() {
        await opened.client.batch(
          tables.map((table) => `delete from ${table}`),
          "write",
        );
      },
      async snapshot() {
        const contents = await opened.client.batch(tables.map((table) => `select * from ${table}`));
        return Object.fromEntries(tables.map((table, i) => [table, (contents[i]?.rows ?? []).map((row) => ({ ...row }))]));
      },
    };

    beforeAll(async () => {
      opened = await open();
      store = libsqlStore(opened.client, pricesOf());
      const found = await rows("select name from sqlite_master where type = 'table' and name not like '\\_%' escape '\\'", []);
      tables = found.map((row) => String(row.name)).filter((table) => !table.startsWith("sqlite_"));
    });
    beforeEach(() => bench.clear());
    afterAll(() => opened.close());

    describe("steps of a task", () => stepCases(bench));
    describe("attempts", () => attemptCases(bench));
    describe("the story of a task", () => storyCases(bench));
    describe("queue", () => queueCases(bench));
    describe("waiting", () => waitingCases(bench));
    describe("what headquarters watches", () => watchCases(bench));
    describe("controls", () => controlCases(bench));
    describe("interleavings", () => interleavingCases(bench));
    describe("letters", () => letterCases(bench));
    describe("questions", () => questionCases(bench));
    describe("budgets", () => budgetCases(bench));
    describe("updates and conversations", () => chatCases(bench));
    describe("fleet", () => fleetCases(bench));
    describe("ledger, access, facts", () => recordCases(bench));
  });
}
