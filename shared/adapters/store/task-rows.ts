/** Task rows on their way out. */
import { and, asc, desc, eq, getTableColumns, gte, inArray, lt, or, type SQL, sql } from "drizzle-orm";
import { limitsSchema } from "#core/limits.ts";
import { receiptSchema } from "#core/receipt.ts";
import { leasedStates } from "#core/task.ts";
import type { Task, Tasks } from "#ports/store.ts";
import { parseJson } from "./json.ts";
import { attempts, letters, tasks } from "./schema.ts";
import type { Database } from "./sql.ts";

/** One sweep of `expired`; the next tick goes on. */
const sweep = 50;

/** A task's row with what its attempt knows. */
export const taskColumns = {
  ...getTableColumns(tasks),
  claimedAt: sql<number | null>`(select claimed_at from attempts as a where a.task = "tasks"."id" and a.epoch = "tasks"."epoch")`,
};

type Reading = Pick<Tasks, "get" | "list" | "expired" | "withoutLetter" | "byCard">;

export function taskReading({ q, run }: Database): Reading {
  return {
    async get(id) {
      const [row] = await run(q.select(taskColumns).from(tasks).where(eq(tasks.id, id)));
      return row ? toTask(row) : null;
    },

    async list({ states, factory, chat, oldestFirst = false, limit }) {
      const where = and(
        states ? inArray(tasks.state, [...states]) : undefined,
        factory === undefined ? undefined : eq(tasks.factory, factory),
        chat === undefined ? undefined : eq(tasks.chat, chat),
      );
      const order = oldestFirst ? [asc(tasks.createdAt), sql`rowid asc`] : [desc(tasks.createdAt), sql`rowid desc`];
      const rows = await run(
        q
          .select(taskColumns)
          .from(tasks)
          .where(where)
          .orderBy(...order)
          .limit(limit),
      );
      return rows.map(toTask);
    },

    async expired(now, unclaimedBefore) {
      const lapsed = and(inArray(tasks.state, [...leasedStates]), lt(tasks.leaseUntil, now)) as SQL;
      const unclaimed = and(eq(tasks.state, "dispatched"), lt(attempts.dispatchedAt, unclaimedBefore)) as SQL;
      const rows = await run(
        q
          .select(taskColumns)
          .from(tasks)
          .leftJoin(attempts, and(eq(attempts.task, tasks.id), eq(attempts.epoch, tasks.epoch)))
          .where(or(lapsed, unclaimed))
          .orderBy(asc(tasks.updatedAt))
          .limit(sweep),
      );
      return rows.map(toTask);
    },

    async withoutLetter(prefix, since, limit) {
      const unwritten = sql`not exists (select 1 from ${letters} where ${letters.key} = ${prefix} || ${tasks.id})`;
      const rows = await run(
        q
          .select(taskColumns)
          .from(tasks)
          .where(and(gte(tasks.endedAt, since), unwritten))
          .orderBy(asc(tasks.endedAt))
          .limit(limit),
      );
      return rows.map(toTask);
    },

    async byCard(chat, message) {
      const named = sql`${tasks.id} = substr(${letters.key}, instr(${letters.key}, ':') + 1)`;
      const [row] = await run(
        q
          .select(taskColumns)
          .from(letters)
          .innerJoin(tasks, named)
          .where(and(eq(letters.chat, chat), eq(letters.message, message)))
          .limit(1),
      );
      return row ? toTask(row) : null;
    },
  };
}

export function toTask(row: typeof tasks.$inferSelect & { claimedAt: number | null }): Task {
  const { limitsJson, receiptJson, orderId: _, liveCost: __, log: ___, ...rest } = row;
  return {
    ...rest,
    limits: parseJson(limitsSchema, limitsJson, "limits_json"),
    receipt: receiptJson === null ? null : parseJson(receiptSchema, receiptJson, "receipt_json"),
  };
}
