/** The ledger: append-only, an entry's id makes a repeated delivery a no-op. */
import { and, eq, gte, type SQL, sql } from "drizzle-orm";
import { type LedgerEntry, noTotal, type Total } from "#core/ledger.ts";
import type { Ledger } from "#ports/store.ts";
import { attempts, usages } from "./schema.ts";
import { type Database, ifChanged, insertAll, type Statement, showChange } from "./sql.ts";

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
  };
}

/** Statements that append what is not known yet. */
export function record(entries: readonly LedgerEntry[], now: number): Statement[] {
  if (entries.length === 0) return [];
  const rows = entries.map(({ usage, ...entry }) => ({ ...entry, ...usage, recordedAt: now }));
  return [insertAll(usages, rows), showChange(ifChanged)];
}

/**
 * The same for what a factory told: it tells what it spent itself, and of no task but its own. An entry about another's counts as
 * the factory's, for no task. Ids are of its own choice, so they are its own: no entry of another's, or of HQ's, is kept out by one.
 */
export function recordOf(factory: string, told: readonly LedgerEntry[], now: number): Statement[] {
  if (told.length === 0) return [];
  const entries = told.map((entry) => ({ ...entry, id: `${factory}:${entry.id}`, factory }));
  const ids = JSON.stringify(entries.map(({ id }) => id));
  const had = sql`exists (select 1 from ${attempts} as a where a.task = usages.task and a.epoch = usages.epoch and a.factory = ${factory})`;
  return [
    ...record(entries, now),
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

function sum(column: SQL | (typeof usages)[keyof (typeof usages)["_"]["columns"]]) {
  // `sum` overflows where `total` does not, and what a number can't hold could not be read at all.
  return sql<number>`cast(min(total(${column}), ${Number.MAX_SAFE_INTEGER}) as integer)`;
}
