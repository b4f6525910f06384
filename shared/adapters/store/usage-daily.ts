/**
 * What the ledger comes to by day, so that a page need not read a million rows. A trigger of the migrations (`usage_daily_add`) counts each
 * row as it is added to `usages`, in the same transaction, whoever adds it; what is there already is not added, so it is not counted
 * again. A migration that makes `usages` anew drops the trigger: it must make it anew too.
 */
import { type SQL, sql } from "drizzle-orm";
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Budget } from "#core/budget.ts";
import { dayMs } from "#core/day.ts";
import { billingModes } from "#core/ledger.ts";

/** By the day on which headquarters heard of a call. */
export const usageDaily = sqliteTable(
  "usage_daily",
  {
    /** Its midnight, UTC. */
    day: integer().notNull(),
    factory: text().notNull(),
    persona: text().notNull(),
    seat: text().notNull(),
    provider: text().notNull(),
    model: text().notNull(),
    billing: text({ enum: billingModes }).notNull(),
    calls: integer().notNull(),
    /** Calls of them that have no price. */
    unpriced: integer().notNull(),
    uncachedIn: integer("uncached_in").notNull(),
    cacheRead: integer("cache_read").notNull(),
    write5m: integer("write_5m").notNull(),
    write1h: integer("write_1h").notNull(),
    output: integer().notNull(),
    reasoning: integer().notNull(),
    /** At list price. What its parts leave of it is not split. */
    cost: integer().notNull(),
    costInput: integer("cost_input").notNull(),
    costCacheRead: integer("cost_cache_read").notNull(),
    costCacheWrite: integer("cost_cache_write").notNull(),
    costOutput: integer("cost_output").notNull(),
    billed: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.day, t.factory, t.persona, t.seat, t.provider, t.model, t.billing] })],
);

/**
 * A scalar: what was recorded from `since` (ms) on, in `unit`, of the rows that `counts` picks by their table's name. Whole days are read
 * from their sums; of the entries themselves only those of a window's first day, which it began within.
 */
export function recordedSince(since: SQL, unit: Budget["unit"] | SQL, counts: (table: SQL) => SQL): SQL {
  const from = sql`cast(${since} as integer)`;
  const firstDay = sql`(${from} + ${sql.raw(String(dayMs - 1))}) / ${sql.raw(String(dayMs))} * ${sql.raw(String(dayMs))}`;
  const of = (table: SQL) => {
    const tokens = sql`${table}.uncached_in + ${table}.cache_read + ${table}.write_5m + ${table}.write_1h + ${table}.output`;
    if (unit === "usd") return sql`${table}.cost`;
    return unit === "tokens" ? tokens : sql`case ${unit} when 'usd' then ${table}.cost else ${tokens} end`;
  };
  const [d, u] = [sql`d`, sql`u`];
  return sql`((select coalesce(sum(${of(d)}), 0) from usage_daily as d where d.day >= ${firstDay} and ${counts(d)})
    + (select coalesce(sum(${of(u)}), 0) from usages as u where u.recorded_at >= ${from} and u.recorded_at < ${firstDay} and ${counts(u)}))`;
}
