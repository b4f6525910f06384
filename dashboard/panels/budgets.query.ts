/** Where the owner's budgets stand, and what stands still at one: two queries for a batch. */
import { and, asc, eq, inArray, sql } from "drizzle-orm";
import { askStandings, toStanding } from "#adapters/store/budget-standings.ts";
import { tasks } from "#adapters/store/schema.ts";
import { overBudgetCode, type TaskState } from "#core/task.ts";
import type { OwnerBudget } from "#ports/budgets.ts";
import type { DashboardDb } from "../db.ts";

/** Tasks that are named; those beyond are counted. */
export const stillShown = 20;

export interface Still {
  id: string;
  title: string;
  /** Paused at its factory, or held before it began. */
  state: TaskState;
  /** It names the budget. */
  reason: string;
  /** The question to the owner that waits for an answer; null: none does. */
  ask: string | null;
  updatedAt: number;
}

export interface BudgetsNow {
  all: OwnerBudget[];
  /** Longest first. */
  still: Still[];
  /** How many there are of it in all. */
  stillCount: number;
}

export function askBudgets(db: DashboardDb, now: number) {
  const still = db
    .select({
      ...{ id: tasks.id, title: tasks.title, state: tasks.state, reason: tasks.reason, updatedAt: tasks.updatedAt },
      ask: sql<
        string | null
      >`(select q.id from questions as q where q.task = "tasks"."id" and q.answered_at is null order by q.created_at desc limit 1)`,
      count: sql<number>`count(*) over ()`,
    })
    .from(tasks)
    .where(and(inArray(tasks.state, ["paused", "held"]), eq(tasks.code, overBudgetCode)))
    .orderBy(asc(tasks.updatedAt))
    .limit(stillShown);
  return [askStandings(db, now), still] as const;
}

type Answers<T extends readonly unknown[]> = { -readonly [K in keyof T]: Awaited<T[K]> };

export function budgetsNow([standings, still]: Answers<ReturnType<typeof askBudgets>>): BudgetsNow {
  return {
    all: standings.map(toStanding),
    still: still.map(({ count: _, ...one }) => one),
    stillCount: still[0]?.count ?? 0,
  };
}
