import { count, type SQL, sql, sum } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { usages } from "#adapters/store/schema.ts";
import { usageDaily } from "#adapters/store/usage-daily.ts";
import { addSpend, noSpend, type Spend, type Total } from "#core/ledger.ts";
import type { CostParts } from "#core/prices.ts";

export type Money = Pick<Total, "cost" | "calls" | "unpriced">;

/** The columns that `money` reads: the same sums as `sum` in core/ledger.ts, made by the database. */
export const spentColumns = { cost: sum(usages.cost), calls: count(), priced: count(usages.cost) };

/** Those that `tokens` reads. */
export const tokenColumns = {
  uncachedIn: sum(usages.uncachedIn),
  cacheRead: sum(usages.cacheRead),
  write5m: sum(usages.write5m),
  write1h: sum(usages.write1h),
  output: sum(usages.output),
  reasoning: sum(usages.reasoning),
};

export function money(row: { cost: string | null; calls: number; priced: number }): Money {
  return { cost: Number(row.cost ?? 0), calls: row.calls, unpriced: row.calls - row.priced };
}

export function addMoney(a: Money, b: Money): Money {
  return { cost: a.cost + b.cost, calls: a.calls + b.calls, unpriced: a.unpriced + b.unpriced };
}

export function tokens(row: Record<keyof typeof tokenColumns, string | null>): Total["usage"] {
  return {
    uncachedIn: Number(row.uncachedIn ?? 0),
    cacheRead: Number(row.cacheRead ?? 0),
    write5m: Number(row.write5m ?? 0),
    write1h: Number(row.write1h ?? 0),
    output: Number(row.output ?? 0),
    reasoning: Number(row.reasoning ?? 0),
  };
}

/** What some calls cost, whole and by the kind of token. What the parts leave of `cost` is not split. */
export interface Slice extends Spend {
  parts: CostParts;
}

export const noSlice: Slice = { ...noSpend, parts: { input: 0, cacheRead: 0, cacheWrite: 0, output: 0 } };

/** The columns that `slice` reads. */
export const dailyColumns = {
  cost: most(usageDaily.cost),
  calls: most(usageDaily.calls),
  unpriced: most(usageDaily.unpriced),
  uncachedIn: most(usageDaily.uncachedIn),
  cacheRead: most(usageDaily.cacheRead),
  write5m: most(usageDaily.write5m),
  write1h: most(usageDaily.write1h),
  output: most(usageDaily.output),
  reasoning: most(usageDaily.reasoning),
  costInput: most(usageDaily.costInput),
  costCacheRead: most(usageDaily.costCacheRead),
  costCacheWrite: most(usageDaily.costCacheWrite),
  costOutput: most(usageDaily.costOutput),
  billed: most(usageDaily.billed),
  unbilled: most(sql`iif(${usageDaily.billing} = 'metered', ${usageDaily.unpriced}, 0)`),
};

export function slice(row: Record<keyof typeof dailyColumns, number>): Slice {
  const { cost, calls, unpriced, billed, unbilled, uncachedIn, cacheRead, write5m, write1h, output, reasoning } = row;
  return {
    ...{ cost, calls, unpriced, billed, unbilled },
    usage: { uncachedIn, cacheRead, write5m, write1h, output, reasoning },
    parts: { input: row.costInput, cacheRead: row.costCacheRead, cacheWrite: row.costCacheWrite, output: row.costOutput },
  };
}

export function addSlice(a: Slice, b: Slice): Slice {
  const part = (name: keyof CostParts) => a.parts[name] + b.parts[name];
  const parts = { input: part("input"), cacheRead: part("cacheRead"), cacheWrite: part("cacheWrite"), output: part("output") };
  return { ...addSpend(a, b), parts };
}

/** A sum; of what no number holds, the most that one does. */
function most(column: SQL | SQLiteColumn) {
  return sql<number>`cast(min(total(${column}), ${Number.MAX_SAFE_INTEGER}) as integer)`;
}
