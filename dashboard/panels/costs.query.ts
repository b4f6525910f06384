/**
 * What was spent in some days, by day, factory, VP and model, and where the budgets stand now. One round trip to the sums of days; the
 * ledger itself is read for budgets over a window alone.
 */
import { and, desc, eq, gte, lt, sql } from "drizzle-orm";
import { usageDaily } from "#adapters/store/usage-daily.ts";
import { dayMs, startOfDay } from "#core/day.ts";
import type { BillingMode } from "#core/ledger.ts";
import type { DashboardDb } from "../db.ts";
import { askBudgets, type BudgetsNow, budgetsNow } from "./budgets.query.ts";
import { addSlice, dailyColumns, noSlice, type Slice, slice } from "./spent.query.ts";

/** Rows of a breakdown; what is beyond them is shown as one. */
export const mostRows = 50;

/** The choices above the page: a word in the address, and what it is called. */
export const periods = { day: "day", "7d": "7 days", "30d": "30 days", month: "month" } as const;
export type Period = keyof typeof periods;

/** Whole days, UTC: from the midnight `from` to the one before which `to` ends. */
export interface Span {
  period: Period;
  from: number;
  to: number;
}

export interface Filter {
  factory?: string;
  seat?: string;
  provider?: string;
  model?: string;
}

/** A row of a breakdown with what leads to it alone. */
export interface Row extends Slice {
  names: string[];
  only: Filter;
}

export interface Breakdown {
  /** The dearest first, at most `mostRows`. */
  rows: Row[];
  /** What the rows leave out; null where they are all. */
  rest: (Slice & { groups: number }) | null;
}

export interface Costs {
  total: Slice;
  byBilling: Partial<Record<BillingMode, Slice>>;
  /** Every day of the span that has begun, oldest first. */
  days: (Slice & { day: number })[];
  factories: Breakdown;
  vps: Breakdown;
  models: Breakdown;
  /** Whatever the days and the choice. */
  budgets: BudgetsNow;
}

/** The days that `period` takes up to and with the one that `on` lies in; of a month all of them. `on` in milliseconds. */
export function spanOf(period: Period, on: number): Span {
  const end = startOfDay(on) + dayMs;
  if (period === "month") {
    const date = new Date(on);
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
    return { period, from: Date.UTC(year, month), to: Date.UTC(year, month + 1) };
  }
  const days = { day: 1, "7d": 7, "30d": 30 }[period];
  return { period, from: end - days * dayMs, to: end };
}

export async function loadCosts(db: DashboardDb, span: Span, filter: Filter, now: number): Promise<Costs> {
  const { day, factory, seat, persona, provider, model, billing } = usageDaily;
  const chosen = (Object.entries(filter) as [keyof Filter, string][]).map(([column, value]) => eq(usageDaily[column], value));
  const where = and(gte(day, span.from), lt(day, span.to), ...chosen);
  const groups = sql<number>`count(*) over ()`;
  const byCost = [desc(dailyColumns.cost), desc(dailyColumns.calls)];
  const [days, factories, vps, models, ...standings] = await db.batch([
    db
      .select({ day, billing, ...dailyColumns })
      .from(usageDaily)
      .where(where)
      .groupBy(day, billing),
    db
      .select({ factory, groups, ...dailyColumns })
      .from(usageDaily)
      .where(where)
      .groupBy(factory)
      .orderBy(...byCost)
      .limit(mostRows),
    db
      .select({ factory, seat, persona, groups, ...dailyColumns })
      .from(usageDaily)
      .where(where)
      .groupBy(factory, seat, persona)
      .orderBy(...byCost)
      .limit(mostRows),
    db
      .select({ provider, model, billing, groups, ...dailyColumns })
      .from(usageDaily)
      .where(where)
      .groupBy(provider, model, billing)
      .orderBy(...byCost)
      .limit(mostRows),
    ...askBudgets(db, now),
  ]);
  const sumOf = (rows: typeof days) => rows.map(slice).reduce(addSlice, noSlice);
  const total = sumOf(days);
  const byDay = Map.groupBy(days, (row) => row.day);
  return {
    total,
    byBilling: Object.fromEntries([...Map.groupBy(days, (row) => row.billing)].map(([mode, rows]) => [mode, sumOf(rows)])),
    days: midnights(span, now).map((midnight) => ({ day: midnight, ...sumOf(byDay.get(midnight) ?? []) })),
    factories: breakdown(total, factories, (row) => ({ names: [row.factory], only: { factory: row.factory } })),
    vps: breakdown(total, vps, (row) => ({
      names: [`${row.persona} @ ${row.factory}`, row.seat],
      only: { factory: row.factory, seat: row.seat },
    })),
    models: breakdown(total, models, (row) => ({
      names: [`${row.provider}/${row.model}`, ...(row.billing === "metered" ? [] : [row.billing])],
      only: { provider: row.provider, model: row.model },
    })),
    budgets: budgetsNow(standings),
  };
}

function midnights({ from, to }: Span, now: number): number[] {
  const count = Math.ceil((Math.min(to, now + 1) - from) / dayMs);
  return Array.from({ length: Math.max(0, count) }, (_, i) => from + i * dayMs);
}

type Sums = Record<keyof typeof dailyColumns, number>;

function breakdown<R extends Sums & { groups: number }>(
  total: Slice,
  found: readonly R[],
  of: (row: R) => Pick<Row, "names" | "only">,
): Breakdown {
  const rows = found.map((row) => ({ ...of(row), ...slice(row) }));
  const groups = (found[0]?.groups ?? 0) - rows.length;
  return { rows, rest: groups > 0 ? { ...less(total, rows.reduce<Slice>(addSlice, noSlice)), groups } : null };
}

function less(all: Slice, some: Slice): Slice {
  const negative = (of: Slice): Slice => ({
    ...{ cost: -of.cost, calls: -of.calls, unpriced: -of.unpriced, billed: -of.billed, unbilled: -of.unbilled },
    usage: minus(of.usage),
    parts: minus(of.parts),
  });
  return addSlice(all, negative(some));
}

function minus<T extends object>(numbers: T): T {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, -value])) as T;
}
