/** The owner's budgets: set, taken away, raised, and how far each is used. */
import { eq, inArray, sql } from "drizzle-orm";
import type { Budgets } from "#ports/budgets.ts";
import { askStandings, since, toStanding } from "./budget-standings.ts";
import { budgets } from "./budget-table.ts";
import { type Database, ifChanged, showChange } from "./sql.ts";

const b = budgets;

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
      return (await run(askStandings(q, now, except))).map(toStanding);
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
