/** The sums of days are those of the ledger, whatever came in whatever order, and where they are made for the first time. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Client, createClient } from "@libsql/client";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import { pricesOf } from "#adapters/prices/index.ts";
import { libsqlStore } from "#adapters/store/libsql.ts";
import { database } from "#adapters/store/sql.ts";
import { type Budget, budgetUnits } from "#core/budget.ts";
import { startOf } from "#core/budget-period.ts";
import { dayMs } from "#core/day.ts";
import { type LedgerEntry, noUsage, tokensOf } from "#core/ledger.ts";
import { rebuildDaily } from "../../scripts/ledger/rebuild-daily.ts";
import { migrateDatabase } from "../../scripts/migrate-database.ts";
import { ledgerEntry, recordAll } from "../support/ledger.ts";

let client: Client;
beforeEach(async () => {
  client = createClient({ url: "file::memory:" });
  await migrateDatabase(client);
});
afterEach(() => client.close());

const days = async (columns = "*") =>
  (await client.execute(`select ${columns} from usage_daily order by day, factory, seat, model, billing`)).rows.map((row) => ({ ...row }));

const some = fc.record({
  id: fc.integer({ min: 0, max: 30 }).map((n) => `usage_${n}`),
  factory: fc.constantFrom("desk-1", "desk-2"),
  seat: fc.constantFrom("coder", "general"),
  model: fc.constantFrom("scripted-1", "nobody-s"),
  billing: fc.constantFrom("metered" as const, "subscription" as const),
  uncachedIn: fc.nat(1000),
  priced: fc.boolean(),
});

function entryOf({ uncachedIn, priced, ...rest }: typeof some extends fc.Arbitrary<infer T> ? T : never): LedgerEntry {
  // Of the scripted model's list where it is that model, of some other list where it is not.
  const cost = priced ? uncachedIn * 1000 : null;
  const billed = rest.billing === "metered" ? cost : 0;
  return ledgerEntry({ ...rest, requestedModel: rest.model, usage: { ...noUsage, uncachedIn }, cost, billed });
}

it("counts every entry once, in whatever batches, however often it comes", async () => {
  const store = libsqlStore(client, pricesOf());
  const { tasks } = store;
  const batch = fc.record({ day: fc.integer({ min: 0, max: 4 }), entries: fc.array(some, { maxLength: 12 }), told: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { maxLength: 10 }), async (batches) => {
      await client.batch(["delete from usages", "delete from usage_daily"], "write");
      for (const { day, entries, told } of batches) {
        const usages = entries.map(entryOf);
        if (told) await tasks.settle("desk-1", { results: [], usages, incidents: [], heard: [] }, day * dayMs + 7);
        else await recordAll(store, usages, day * dayMs + 7);
      }
      const written = await days();
      await rebuildDaily(database(client));
      expect(written).toEqual(await days());
      const { rows } = await client.execute("select count(distinct id) as calls, coalesce(sum(cost), 0) as cost from usages");
      const total = await client.execute("select coalesce(sum(calls), 0) as calls, coalesce(sum(cost), 0) as cost from usage_daily");
      expect({ ...total.rows[0] }).toEqual({ ...rows[0] });
    }),
    { numRuns: 60 },
  );
});

it("are made by the migration of what the ledger held before there were any", async () => {
  const store = libsqlStore(client, pricesOf());
  await recordAll(store, [ledgerEntry(), ledgerEntry({ id: "usage_0002", cost: null, billed: null })], dayMs);
  await recordAll(store, [ledgerEntry({ id: "usage_0003", seat: "general" })], 3 * dayMs - 1);
  const known = await days();
  await client.execute("delete from usage_daily");
  const file = readdirSync("migrations").find((name) => name.endsWith("_usage-daily.sql"));
  const [, , , , , fill = ""] = readFileSync(`migrations/${file}`, "utf8").split("--> statement-breakpoint");
  expect((await client.execute(fill)).rowsAffected).toBe(2);
  expect(await days()).toEqual(known);
});

it("are made again by the command", async () => {
  const folder = await mkdtemp(join(tmpdir(), "uac-daily-"));
  const url = `file:${join(folder, "hq.db")}`;
  const hq = createClient({ url });
  try {
    await migrateDatabase(hq);
    await recordAll(libsqlStore(hq), [ledgerEntry()], dayMs);
    await hq.execute("update usage_daily set calls = 7");
    const env = { ...process.env, DATABASE_URL: url };
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", "scripts/ledger.ts", "rebuild"], { env });
    expect(stdout).toBe("The sums of 1 day were made again from the ledger.\n");
    expect((await hq.execute("select calls from usage_daily")).rows[0]?.calls).toBe(1);
  } finally {
    hq.close();
    await rm(folder, { recursive: true });
  }
});

it("says what budgets have used, to the millisecond of a window, without reading a month's entries", async () => {
  const store = libsqlStore(client, pricesOf());
  const hourMs = dayMs / 24;
  const now = 20 * dayMs + 7 * hourMs;
  const times = fc.array(fc.record({ at: fc.integer({ min: now - 3 * dayMs, max: now }), of: some }), { maxLength: 40 });
  const scopes = [{ kind: "corporation" }, { kind: "factory", of: "desk-1" }, { kind: "vp", of: "coder" }] as const;
  const periods = [
    { period: "day" },
    { period: "month" },
    ...[1, 7, 30].map((hours) => ({ period: "window" as const, windowMs: hours * hourMs })),
  ] as const;
  const all = scopes.flatMap((scope) =>
    periods.flatMap((when) =>
      budgetUnits.map((unit): Budget => ({ id: JSON.stringify([scope, when, unit]), scope, ...when, unit, amount: 1e12 })),
    ),
  );
  for (const budget of all) await store.budgets.set(budget, 0);
  await fc.assert(
    fc.asyncProperty(times, async (told) => {
      await client.batch(["delete from usages", "delete from usage_daily"], "write");
      const entries = told.map(({ at, of }, i) => ({ at, entry: entryOf({ ...of, id: i } as never) }));
      for (const { at, entry } of entries) await recordAll(store, [{ ...entry, id: `usage_${entry.id}` }], at);
      // What no window reaches into is known by its days alone.
      await client.execute(`delete from usages where recorded_at < ${now - 30 * hourMs}`);
      const expected = all.map((budget) => {
        const counts = ({ at, entry }: (typeof entries)[number]) =>
          at >= (startOf(budget, now) ?? 0) &&
          (budget.scope.kind !== "factory" || entry.factory === "desk-1") &&
          (budget.scope.kind !== "vp" || entry.seat === "coder");
        const used = entries.filter(counts).map(({ entry }) => (budget.unit === "usd" ? (entry.cost ?? 0) : tokensOf(entry.usage)));
        return used.reduce((sum, one) => sum + one, 0);
      });
      const standings = new Map((await store.budgets.standings(now)).map(({ budget, recorded }) => [budget.id, recorded]));
      expect(all.map(({ id }) => standings.get(id))).toEqual(expected);
      const bounds = all.map((budget) => ({ budget, since: startOf(budget, now), elsewhere: 0 }));
      expect((await store.spending.standings(bounds)).map(({ spent }) => spent)).toEqual(expected);
    }),
    { numRuns: 20 },
  );
});
