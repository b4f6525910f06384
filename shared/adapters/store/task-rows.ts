/** Task rows on their way out. */
import { and, asc, desc, eq, getTableColumns, gte, inArray, notInArray, sql } from "drizzle-orm";
import { followSchema } from "#core/follow-up.ts";
import { limitsSchema } from "#core/limits.ts";
import { receiptSchema } from "#core/receipt.ts";
import { terminalStates } from "#core/task.ts";
import type { Task, Tasks } from "#ports/tasks.ts";
import { parseJson } from "./json.ts";
import { sums, toTotal } from "./ledger.ts";
import { letters, taskEvents, tasks, usages } from "./schema.ts";
import type { Database } from "./sql.ts";

/** Steps read for the cards of one drain: the latest are what they show. */
const stepsRead = 2000;

/** A task's row with what its attempt knows. */
export const taskColumns = {
  ...getTableColumns(tasks),
  claimedAt: sql<number | null>`(select claimed_at from attempts as a where a.task = "tasks"."id" and a.epoch = "tasks"."epoch")`,
};

type Reading = Pick<Tasks, "get" | "list" | "atWork" | "withCosts" | "followUps" | "withoutLetter" | "byCard">;

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

    async atWork(ids) {
      if (ids.length === 0) return [];
      const { at, originAt, epoch, kind, text, factory, persona, task } = taskEvents;
      const its = and(inArray(task, [...ids]), eq(kind, "step"));
      const [rows, steps] = await run(
        q.batch([
          q
            .select(taskColumns)
            .from(tasks)
            .where(and(inArray(tasks.id, [...ids]), notInArray(tasks.state, [...terminalStates]))),
          q
            .select({ task, at, originAt, epoch, kind, text, factory, persona })
            .from(taskEvents)
            .where(its)
            .orderBy(desc(taskEvents.id))
            .limit(stepsRead),
        ]),
      );
      return rows.map((row) => ({ task: toTask(row), steps: steps.filter((step) => step.task === row.id).reverse() }));
    },

    async withCosts(ids) {
      if (ids.length === 0) return [];
      const its = inArray(usages.task, [...ids]);
      const [rows, totals] = await run(
        q.batch([
          q
            .select(taskColumns)
            .from(tasks)
            .where(inArray(tasks.id, [...ids])),
          q
            .select({ task: usages.task, ...sums })
            .from(usages)
            .where(its)
            .groupBy(usages.task),
        ]),
      );
      return rows.map((row) => ({ task: toTask(row), cost: toTotal(totals.find((total) => total.task === row.id)) }));
    },

    async followUps(of) {
      if (of.length === 0) return [];
      const rows = await run(
        q
          .select(taskColumns)
          .from(tasks)
          .where(and(inArray(sql`follow_json ->> '$.of'`, [...of]), eq(tasks.state, "succeeded")))
          .orderBy(asc(tasks.endedAt)),
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
  const { limitsJson, receiptJson, followJson, orderId: _, liveCost: __, liveTokens: ___, log: ____, ...rest } = row;
  return {
    ...rest,
    follow: followJson === null ? null : parseJson(followSchema, followJson, "follow_json"),
    limits: parseJson(limitsSchema, limitsJson, "limits_json"),
    receipt: receiptJson === null ? null : parseJson(receiptSchema, receiptJson, "receipt_json"),
  };
}
