import { count, sum } from "drizzle-orm";
import { usages } from "#adapters/store/schema.ts";
import type { Total } from "#core/ledger.ts";

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
