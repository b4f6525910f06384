/** What is spent against budgets, and held back for calls under way. */
import { eq, getTableColumns, or, type SQL, sql } from "drizzle-orm";
import { asksOf, type Bound, type Budget, type BudgetScope, binding, type Standing } from "#core/budget.ts";
import { noUsage } from "#core/ledger.ts";
import type { Spending } from "#ports/spending.ts";
import { record } from "./ledger.ts";
import { reservations, usages } from "./schema.ts";
import { comma, type Database, hit, ifChanged, insertIf, showChange } from "./sql.ts";
import { recordedSince } from "./usage-daily.ts";

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
  const held = unit === "usd" ? sql`r.cost` : sql`r.tokens`;
  return {
    spent: spentOf(scope, unit, since),
    // However long ago it was made, it is not spent yet.
    reserved: sql`(select coalesce(sum(${held}), 0) from reservations as r where ${within(sql`r`, scope)})`,
  };
}

/** A task's or a turn's is the sum of its few entries; of all the others there may be a million, which days sum up. */
function spentOf(scope: BudgetScope, unit: Budget["unit"], since: number | null): SQL {
  if (scope.kind !== "task" && scope.kind !== "turn") return recordedSince(sql`${since ?? 0}`, unit, (table) => within(table, scope));
  const used = unit === "usd" ? sql`u.cost` : sql`u.uncached_in + u.cache_read + u.write_5m + u.write_1h + u.output`;
  return sql`(select coalesce(sum(${used}), 0) from usages as u where ${within(sql`u`, scope)} and u.recorded_at >= ${since ?? 0})`;
}

function within(table: SQL, scope: BudgetScope): SQL {
  switch (scope.kind) {
    case "task":
      return sql`${table}.task = ${scope.of} and ${table}.epoch = ${scope.epoch}`;
    case "turn":
      return sql`${table}.task is null and ${table}.epoch = ${scope.of}`;
    case "vp":
      return sql`${table}.seat = ${scope.of}`;
    case "factory":
      return sql`${table}.factory = ${scope.of}`;
    case "corporation":
      return sql`true`;
  }
}
