/** What is spent against budgets, and held back for calls under way. */
import { and, eq, getTableColumns, gte, isNull, or, type SQL, sql } from "drizzle-orm";
import { asksOf, type Bound, type BudgetScope, binding, type Standing } from "#core/budget.ts";
import { noUsage } from "#core/ledger.ts";
import type { Spending } from "#ports/spending.ts";
import { record } from "./ledger.ts";
import { reservations, usages } from "./schema.ts";
import { comma, type Database, hit, ifChanged, insertIf, showChange } from "./sql.ts";
import { usageDaily } from "./usage-daily.ts";

const dayMs = 86_400_000;

export function spendingOf({ q, write, priceOf }: Database): Spending {
  return {
    async reserve({ entry, asks, life, leaseUntil }, bounds) {
      const { id, task, epoch, factory, seat, at } = entry;
      const fits = bounds.map((bound) => {
        const { spent, reserved } = usedOf(bound);
        return sql`${spent} + ${reserved} <= ${bound.budget.amount - bound.elsewhere - asksOf(bound, asks)}`;
      });
      const row = { id, task, epoch, factory, seat, at, cost: asks.usd, tokens: asks.tokens, life, leaseUntil };
      const condition = fits.length === 0 ? sql`true` : sql.join(fits, sql` and `);
      const [made] = await write(insertIf(condition, reservations, { ...row, entryJson: JSON.stringify(entry) }));
      if (hit(made)) return null;
      const standings = await standingsOf(bounds);
      // What was in the way may be gone by now: then the first stands for whatever it was, and is asked for again.
      return binding(standings, asks) ?? standings[0] ?? null;
    },

    standings: standingsOf,

    async settle(entry, now) {
      await write(...record([entry], now, priceOf), q.delete(reservations).where(eq(reservations.id, entry.id)));
    },

    async release(now, life) {
      const over = sql`${reservations.leaseUntil} <= ${now}`;
      const orphans = life === undefined ? over : (or(over, sql`${reservations.life} <> ${life}`) as SQL);
      const [, , gone] = await write(becomeEntries(orphans, now), showChange(ifChanged), q.delete(reservations).where(orphans));
      return gone.rowsAffected;
    },
  };

  async function standingsOf(bounds: readonly Bound[]): Promise<Standing[]> {
    if (bounds.length === 0) return [];
    const used = bounds.map(usedOf);
    const columns = used.flatMap(({ spent, reserved }, i) => [
      sql`${spent} as ${sql.identifier(`spent${i}`)}`,
      sql`${reserved} as ${sql.identifier(`reserved${i}`)}`,
    ]);
    const [{ rows }] = await write(sql`select ${comma(columns)}`);
    const [row] = rows;
    return bounds.map((bound, i) => ({
      bound,
      spent: Number(row?.[`spent${i}`]) + bound.elsewhere,
      reserved: Number(row?.[`reserved${i}`]),
    }));
  }
}

/** The entries that reservations were made with, column by column. */
function becomeEntries(orphans: SQL, now: number): SQL {
  const columns = Object.entries(getTableColumns(usages));
  const values = columns.map(([key]) => {
    if (key === "recordedAt") return sql`${now}`;
    return sql`entry_json ->> ${sql.raw(`'$.${Object.hasOwn(noUsage, key) ? "usage." : ""}${key}'`)}`;
  });
  const names = columns.map(([, column]) => sql.identifier(column.name));
  return sql`insert into ${usages} (${comma(names)}) select ${comma(values)} from ${reservations} where ${orphans} on conflict do nothing`;
}

/** Sums of the entries, and of the reservations, that count against a bound. */
function usedOf({ budget: { scope, unit }, since }: Bound): { spent: SQL; reserved: SQL } {
  // What begins with a day is summed up by days already: a month may be a million calls.
  const byDay = since !== null && since % dayMs === 0 && scope.kind !== "task" && scope.kind !== "turn";
  const table = byDay ? usageDaily : usages;
  const { uncachedIn, cacheRead, write5m, write1h, output, cost } = table;
  const used = unit === "usd" ? sql`${cost}` : sql`${uncachedIn} + ${cacheRead} + ${write5m} + ${write1h} + ${output}`;
  const from = byDay ? gte(usageDaily.day, since) : since === null ? undefined : gte(usages.recordedAt, since);
  const counted = and(byDay ? among(usageDaily, scope) : within(usages, scope), from) ?? sql`true`;
  const held = unit === "usd" ? reservations.cost : reservations.tokens;
  return {
    spent: sql`(select coalesce(sum(${used}), 0) from ${table} where ${counted})`,
    // However long ago it was made, it is not spent yet.
    reserved: sql`(select coalesce(sum(${held}), 0) from ${reservations} where ${within(reservations, scope) ?? sql`true`})`,
  };
}

/** Undefined: everything. */
function within(table: typeof usages | typeof reservations, scope: BudgetScope): SQL | undefined {
  switch (scope.kind) {
    case "task":
      return and(eq(table.task, scope.of), eq(table.epoch, scope.epoch));
    case "turn":
      return and(isNull(table.task), eq(table.epoch, scope.of));
    default:
      return among(table, scope);
  }
}

/** The same of what is wider than one task or turn. */
function among(table: typeof usages | typeof reservations | typeof usageDaily, scope: BudgetScope): SQL | undefined {
  if (scope.kind === "vp") return eq(table.seat, scope.of);
  return scope.kind === "factory" ? eq(table.factory, scope.of) : undefined;
}
