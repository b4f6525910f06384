/** The ledger: append-only, an entry's id makes a repeated delivery a no-op. */
import { and, eq, gte, type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { addSpend, type LedgerEntry, noSpend, noTotal, type Spend, type Total } from "#core/ledger.ts";
import { type PriceOf, partsOf } from "#core/prices.ts";
import type { Ledger } from "#ports/store.ts";
import { attempts, usages } from "./schema.ts";
import { type Database, ifChanged, insertAll, type Statement, showChange } from "./sql.ts";
import { usageDaily } from "./usage-daily.ts";

export function ledgerOf({ q, run }: Database): Ledger {
  return {
    async total({ since, task, factory }) {
      const [row] = await run(
        q
          .select(sums)
          .from(usages)
          .where(
            and(
              since === undefined ? undefined : gte(usages.recordedAt, since),
              task === undefined ? undefined : eq(usages.task, task),
              factory === undefined ? undefined : eq(usages.factory, factory),
            ),
          ),
      );
      return toTotal(row);
    },

    async spent({ today, month }) {
      const isToday = sql<number>`${usageDaily.day} >= ${today}`;
      const of = gte(usageDaily.day, month);
      const { factory, provider, model, billing } = usageDaily;
      const [byFactory, byModel] = await Promise.all([
        run(
          q
            .select({ factory, isToday, ...dailySums })
            .from(usageDaily)
            .where(of)
            .groupBy(factory, isToday),
        ),
        run(
          q
            .select({ provider, model, billing, isToday, ...dailySums })
            .from(usageDaily)
            .where(of)
            .groupBy(provider, model, billing, isToday),
        ),
      ]);
      return {
        factories: merged(byFactory, (row) => row.factory).map(({ row, ...spent }) => ({ factory: row.factory, ...spent })),
        models: merged(byModel, (row) => JSON.stringify([row.provider, row.model, row.billing])).map(({ row, ...spent }) => ({
          ...{ provider: row.provider, model: row.model, billing: row.billing },
          ...spent,
        })),
      };
    },
  };
}

/** The rows of today and of the days before it as one, the dearest first. */
function merged<R extends DailySums & { isToday: number }>(rows: readonly R[], keyOf: (row: R) => string) {
  const groups = [...Map.groupBy(rows, keyOf).values()].flatMap((group) => {
    const [row] = group;
    const sumOf = (some: readonly R[]) => some.map(toSpend).reduce(addSpend, noSpend);
    return row ? [{ row, today: sumOf(group.filter((one) => one.isToday)), month: sumOf(group) }] : [];
  });
  return groups.toSorted((a, b) => b.month.cost - a.month.cost);
}

/** Statements that append what is not known yet. */
export function record(entries: readonly LedgerEntry[], now: number, priceOf: PriceOf): Statement[] {
  if (entries.length === 0) return [];
  const rows = entries.map((entry) => {
    const { usage, ...rest } = entry;
    const parts = partsOf(entry, priceOf);
    return {
      ...{ ...rest, ...usage, recordedAt: now },
      ...{ costInput: parts?.input ?? null, costCacheRead: parts?.cacheRead ?? null },
      ...{ costCacheWrite: parts?.cacheWrite ?? null, costOutput: parts?.output ?? null },
    };
  });
  return [insertAll(usages, rows), showChange(ifChanged)];
}

/**
 * The same for what a factory told: it tells what it spent itself, and of no task but its own. An entry about another's counts as
 * the factory's, for no task. Ids are of its own choice, so they are its own: no entry of another's, or of HQ's, is kept out by one.
 */
export function recordOf(factory: string, told: readonly LedgerEntry[], now: number, priceOf: PriceOf): Statement[] {
  if (told.length === 0) return [];
  const entries = told.map((entry) => ({ ...entry, id: `${factory}:${entry.id}`, factory }));
  const ids = JSON.stringify(entries.map(({ id }) => id));
  const had = sql`exists (select 1 from ${attempts} as a where a.task = usages.task and a.epoch = usages.epoch and a.factory = ${factory})`;
  return [
    ...record(entries, now, priceOf),
    sql`update usages set task = null where id in (select value from json_each(${ids})) and task is not null and not ${had}`,
  ];
}

/** What a total is made of. */
export const sums = {
  cost: sum(usages.cost),
  calls: sql<number>`count(*)`,
  unpriced: sql<number>`coalesce(sum(${usages.cost} is null), 0)`,
  uncachedIn: sum(usages.uncachedIn),
  cacheRead: sum(usages.cacheRead),
  write5m: sum(usages.write5m),
  write1h: sum(usages.write1h),
  output: sum(usages.output),
  reasoning: sum(usages.reasoning),
};

type Sums = { [K in keyof typeof sums]: number };

/** A row of `sums`, or nothing at all, as a total. */
export function toTotal(row: Sums | undefined): Total {
  if (!row) return noTotal;
  const { cost, calls, unpriced, uncachedIn, cacheRead, write5m, write1h, output, reasoning } = row;
  return { cost, calls, unpriced, usage: { uncachedIn, cacheRead, write5m, write1h, output, reasoning } };
}

/** The same of days. */
const dailySums = {
  cost: sum(usageDaily.cost),
  calls: sum(usageDaily.calls),
  unpriced: sum(usageDaily.unpriced),
  uncachedIn: sum(usageDaily.uncachedIn),
  cacheRead: sum(usageDaily.cacheRead),
  write5m: sum(usageDaily.write5m),
  write1h: sum(usageDaily.write1h),
  output: sum(usageDaily.output),
  reasoning: sum(usageDaily.reasoning),
  billed: sum(usageDaily.billed),
  unbilled: sum(sql`iif(${usageDaily.billing} = 'metered', ${usageDaily.unpriced}, 0)`),
};

type DailySums = { [K in keyof typeof dailySums]: number };

function toSpend({ billed, unbilled, ...row }: DailySums): Spend {
  return { ...toTotal(row), billed, unbilled };
}

function sum(column: SQL | SQLiteColumn) {
  // `sum` overflows where `total` does not, and what a number can't hold could not be read at all.
  return sql<number>`cast(min(total(${column}), ${Number.MAX_SAFE_INTEGER}) as integer)`;
}
