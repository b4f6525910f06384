/** How far each of the owner's budgets is used: sums over the ledger, and what heartbeats tell of tasks that are not over. */
import { asc, type SQL, sql } from "drizzle-orm";
import type { LibSQLDatabase } from "drizzle-orm/libsql";
import { type Budget, budgetSchema } from "#core/budget.ts";
import { startOf } from "#core/budget-period.ts";
import { leasedStates } from "#core/task.ts";
import type { OwnerBudget } from "#ports/budgets.ts";
import { budgets } from "./budget-table.ts";
import { reservations, usages } from "./schema.ts";
import { comma } from "./sql.ts";
import { recordedSince } from "./usage-daily.ts";

const leased = comma(leasedStates.map((state) => sql`${state}`));

/** All of them, as one query, for a batch too; `except`: spent by others than this factory. Its rows are read by `toStanding`. */
export function askStandings(q: Pick<LibSQLDatabase, "select">, now: number, except?: string) {
  return q
    .select({ row: budgets, ...usedOf(now, except) })
    .from(budgets)
    .orderBy(asc(budgets.id));
}

/** When the period of the row's budget began that `now` is in. */
export function since(now: number): SQL {
  const [day, month] = [startOf({ period: "day" }, now), startOf({ period: "month" }, now)];
  return sql`case "budgets"."period" when 'day' then ${day} when 'month' then ${month} else ${now} - "budgets"."window_ms" end`;
}

/** What counts of the ledger, of the tasks at work and of calls under way, for the budget of the row. */
function usedOf(now: number, except: string | undefined) {
  const others = (factory: SQL) => (except === undefined ? sql`true` : sql`${factory} is not ${except}`);
  const within = (factory: SQL, isVps: SQL) => sql`(case "budgets"."scope" when 'corporation' then true
    when 'factory' then ${factory} = "budgets"."of" else ${isVps} end) and ${others(factory)}`;
  const counts = (table: SQL) => within(sql`${table}.factory`, sql`${table}.seat = "budgets"."of"`);
  // Nobody knows yet whose it is where the primary of a factory chooses: it counts for each.
  const atWork = sql`from tasks as t where t.state in (${leased}) and ${within(sql`t.factory`, sql`coalesce(t.kind, "budgets"."of") = "budgets"."of"`)}`;
  const told = sql`(case "budgets"."unit" when 'usd' then t.live_cost else t.live_tokens end)`;
  const used = sql`(case "budgets"."unit" when 'usd' then u.cost
    else u.uncached_in + u.cache_read + u.write_5m + u.write_1h + u.output end)`;
  const known = sql`(select coalesce(sum(${used}), 0) from ${usages} as u where u.task = t.id and u.epoch = t.epoch)`;
  const held = sql`(case "budgets"."unit" when 'usd' then r.cost else r.tokens end)`;
  const first = sql`(select u.recorded_at from ${usages} as u where u.recorded_at >= ${since(now)} and ${counts(sql`u`)} order by u.recorded_at limit 1)`;
  return {
    recorded: sql<number>`${recordedSince(since(now), sql`"budgets"."unit"`, counts)}`,
    live: sql<number>`(select coalesce(sum(max(0, ${told} - ${known})), 0) ${atWork})`,
    reserved: sql<number>`(select coalesce(sum(${held}), 0) from ${reservations} as r where ${counts(sql`r`)})`,
    oldest: sql<number | null>`case "budgets"."period" when 'window' then ${first} end`,
  };
}

/** A row of `askStandings`. */
export function toStanding({ row, ...used }: Awaited<ReturnType<typeof askStandings>>[number]): OwnerBudget {
  return { ...toBudget(row), ...used };
}

function toBudget(row: typeof budgets.$inferSelect): Pick<OwnerBudget, "budget" | "raise" | "alerted"> {
  const { id, scope, of, period, windowMs, unit, amount, raisedTo, raisedAt, alerted, alertedAt } = row;
  const budget: Budget = budgetSchema.parse({
    ...{ id, period, unit, amount },
    scope: scope === "corporation" ? { kind: scope } : { kind: scope, of },
    ...(windowMs !== null && { windowMs }),
  });
  return {
    budget,
    raise: raisedTo === null || raisedAt === null ? null : { amount: raisedTo, at: raisedAt },
    alerted: { percent: alerted, at: alertedAt },
  };
}
