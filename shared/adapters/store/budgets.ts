/** The owner's budgets, and what is spent of them: sums over the ledger, and what heartbeats tell of tasks that are not over. */
import { asc, eq, inArray, type SQL, sql } from "drizzle-orm";
import { type Budget, budgetSchema } from "#core/budget.ts";
import { startOf } from "#core/budget-period.ts";
import { leasedStates } from "#core/task.ts";
import type { Budgets, OwnerBudget } from "#ports/budgets.ts";
import { budgets } from "./budget-table.ts";
import { usages } from "./schema.ts";
import { comma, type Database, ifChanged, showChange } from "./sql.ts";
import { recordedSince } from "./usage-daily.ts";

const b = budgets;
const leased = comma(leasedStates.map((state) => sql`${state}`));

export function budgetsOf({ q, run, write }: Database): Budgets {
  return {
    async set({ id, scope, period, windowMs, unit, amount }, now) {
      if (scope.kind === "task" || scope.kind === "turn" || period === "task") throw new Error("a task's budget is its limit");
      const of = scope.kind === "corporation" ? "" : scope.of;
      const row = { id, scope: scope.kind, of, period, windowMs: windowMs ?? null, unit, amount, createdAt: now, updatedAt: now };
      const anew = { raisedTo: null, raisedAt: null, alerted: 0, alertedAt: now };
      await write(
        q
          .insert(b)
          .values({ ...row, ...anew })
          .onConflictDoUpdate({ target: b.id, set: { amount, updatedAt: now, ...anew } }),
        showChange(ifChanged),
      );
    },

    async remove(ids) {
      const [gone] = await write(
        q
          .delete(b)
          .where(inArray(b.id, [...ids]))
          .returning({ id: b.id }),
        showChange(ifChanged),
      );
      return gone.rows.map(({ id }) => String(id));
    },

    async standings(now, except) {
      const rows = await run(
        q
          .select({ row: b, ...usedOf(now, except) })
          .from(b)
          .orderBy(asc(b.id)),
      );
      return rows.map(({ row, recorded, live, oldest }) => ({ ...toBudget(row), recorded, live, oldest }));
    },

    async raise(id, { amount, at }) {
      await write(
        q
          .update(b)
          .set({ raisedTo: amount, raisedAt: at })
          .where(sql`${b.id} = ${id} and coalesce(raised_at, 0) < ${at}
            and (raised_at is null or raised_to < ${amount} or raised_at < ${since(at)})`),
        showChange(ifChanged),
      );
    },

    async alerted(id, percent, now) {
      await write(q.update(b).set({ alerted: percent, alertedAt: now }).where(eq(b.id, id)));
    },
  };
}

/** When the period of the row's budget began that `now` is in. */
function since(now: number): SQL {
  const [day, month] = [startOf({ period: "day" }, now), startOf({ period: "month" }, now)];
  return sql`case "budgets"."period" when 'day' then ${day} when 'month' then ${month} else ${now} - "budgets"."window_ms" end`;
}

/** What counts of the ledger and of the tasks at work, for the budget of the row. */
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
  const first = sql`(select u.recorded_at from ${usages} as u where u.recorded_at >= ${since(now)} and ${counts(sql`u`)} order by u.recorded_at limit 1)`;
  return {
    recorded: sql<number>`${recordedSince(since(now), sql`"budgets"."unit"`, counts)}`,
    live: sql<number>`(select coalesce(sum(max(0, ${told} - ${known})), 0) ${atWork})`,
    oldest: sql<number | null>`case "budgets"."period" when 'window' then ${first} end`,
  };
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
