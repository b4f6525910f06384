/** One task: its story, its attempts, what was measured, what it cost. One round trip. */
import { asc, desc, eq, sql } from "drizzle-orm";
import { attempts, factories, taskEvents, tasks, usages } from "#adapters/store/schema.ts";
import { type Follow, type FollowDo, followSchema } from "#core/follow-up.ts";
import { noTotal, type Total } from "#core/ledger.ts";
import { type Limits, limitsSchema } from "#core/limits.ts";
import type { Question } from "#core/question.ts";
import { type Receipt, receiptSchema } from "#core/receipt.ts";
import type { TaskState } from "#core/task.ts";
import type { DashboardDb } from "../db.ts";
import { parsed } from "../stored.ts";
import { asksAbout, asQuestions } from "./asks.query.ts";
import { money, spentColumns, tokenColumns, tokens } from "./spent.query.ts";
import { askTaskCost, type TaskCost, taskCost } from "./task-cost.query.ts";

/** The newest of each; the totals are of all. */
export const rowsRead = { events: 300, attempts: 20, followUps: 20 };

export type TaskRecord = typeof tasks.$inferSelect;
export type Attempt = typeof attempts.$inferSelect;
export type StoryLine = typeof taskEvents.$inferSelect;
/** A task about the branch of another. */
export interface FollowUp {
  id: string;
  do: FollowDo;
  state: TaskState;
  reason: string;
}

export interface TaskStory {
  task: TaskRecord;
  /** The name of the factory that has or had it. */
  factoryName: string | null;
  receipt: Receipt | null;
  /** True where something is stored that is no receipt. */
  receiptUnreadable: boolean;
  limits: Limits | null;
  /** What it is a follow-up of; null: it is a piece of work. */
  follow: Follow | null;
  /** What its branch became, or is to become, oldest first. */
  followUps: FollowUp[];
  attempts: Attempt[];
  /** Oldest first. */
  events: StoryLine[];
  total: Total;
  cost: TaskCost;
  /** What the owner was asked about it, newest first. */
  asks: Question[];
}

/** Null if there is no such task. */
export async function loadTask(db: DashboardDb, id: string): Promise<TaskStory | null> {
  const [found, tries, events, bill, asked, next, ...spent] = await db.batch([
    db
      .select({ task: tasks, factoryName: factories.name })
      .from(tasks)
      .leftJoin(factories, eq(factories.id, tasks.factory))
      .where(eq(tasks.id, id)),
    db.select().from(attempts).where(eq(attempts.task, id)).orderBy(asc(attempts.epoch)).limit(rowsRead.attempts),
    db.select().from(taskEvents).where(eq(taskEvents.task, id)).orderBy(desc(taskEvents.id)).limit(rowsRead.events),
    db
      .select({ ...spentColumns, ...tokenColumns })
      .from(usages)
      .where(eq(usages.task, id)),
    asksAbout(db, id),
    db
      .select({ id: tasks.id, followJson: tasks.followJson, state: tasks.state, reason: tasks.reason })
      .from(tasks)
      .where(eq(sql`follow_json ->> '$.of'`, id))
      .orderBy(asc(tasks.createdAt))
      .limit(rowsRead.followUps),
    ...askTaskCost(db, id),
  ]);
  const row = found[0];
  if (!row) return null;
  const receipt = parsed(receiptSchema, row.task.receiptJson);
  return {
    task: row.task,
    factoryName: row.factoryName,
    receipt,
    receiptUnreadable: row.task.receiptJson !== null && receipt === null,
    limits: parsed(limitsSchema, row.task.limitsJson),
    follow: parsed(followSchema, row.task.followJson),
    followUps: next.flatMap(({ followJson, ...one }) => {
      const follow = parsed(followSchema, followJson);
      return follow ? [{ ...one, do: follow.do }] : [];
    }),
    attempts: tries,
    events: events.toReversed(),
    asks: asQuestions(asked),
    total: bill[0] ? { ...money(bill[0]), usage: tokens(bill[0]) } : noTotal,
    cost: taskCost(spent),
  };
}

/** The whole patch of a task, or null where the database has none. */
export async function loadPatch(db: DashboardDb, id: string): Promise<string | null> {
  const rows = await db.select({ receiptJson: tasks.receiptJson }).from(tasks).where(eq(tasks.id, id));
  return parsed(receiptSchema, rows[0]?.receiptJson ?? null)?.patch ?? null;
}
