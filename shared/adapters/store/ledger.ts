/** The ledger: append-only, an entry's id makes a repeated delivery a no-op. */
import { and, eq, gte, type SQL, sql } from "drizzle-orm";
import type { LedgerEntry } from "#core/ledger.ts";
import type { Ledger } from "#ports/store.ts";
import { usages } from "./schema.ts";
import { type Database, ifChanged, insertAll, type Statement, showChange } from "./sql.ts";

export function ledgerOf({ q, run, write }: Database): Ledger {
  return {
    async add(entries, now) {
      await write(...record(entries, now));
    },

    async total({ since, task, factory }) {
      const [row] = await run(
        q
          .select({
            cost: sum(usages.cost),
            calls: sql<number>`count(*)`,
            unpriced: sql<number>`coalesce(sum(${usages.cost} is null), 0)`,
            uncachedIn: sum(usages.uncachedIn),
            cacheRead: sum(usages.cacheRead),
            write5m: sum(usages.write5m),
            write1h: sum(usages.write1h),
            output: sum(usages.output),
            reasoning: sum(usages.reasoning),
          })
          .from(usages)
          .where(
            and(
              since === undefined ? undefined : gte(usages.recordedAt, since),
              task === undefined ? undefined : eq(usages.task, task),
              factory === undefined ? undefined : eq(usages.factory, factory),
            ),
          ),
      );
      const { cost = 0, calls = 0, unpriced = 0, ...usage } = row ?? nothing;
      return { cost, calls, unpriced, usage };
    },
  };
}

/** Statements that append what is not known yet. */
export function record(entries: readonly LedgerEntry[], now: number): Statement[] {
  if (entries.length === 0) return [];
  const rows = entries.map(({ usage, ...entry }) => ({ ...entry, ...usage, recordedAt: now }));
  return [insertAll(usages, rows), showChange(ifChanged)];
}

const nothing = { cost: 0, calls: 0, unpriced: 0, uncachedIn: 0, cacheRead: 0, write5m: 0, write1h: 0, output: 0, reasoning: 0 };

function sum(column: SQL | (typeof usages)[keyof (typeof usages)["_"]["columns"]]) {
  return sql<number>`coalesce(sum(${column}), 0)`;
}
