/** Why a task cost what it cost: its model calls by step, all of them counted. */
import { asc, count, desc, eq, type SQL, sql } from "drizzle-orm";
import { usages } from "#adapters/store/schema.ts";
import type { Total } from "#core/ledger.ts";
import type { CostParts } from "#core/prices.ts";
import type { DashboardDb } from "../db.ts";
import { type Money, money, spentColumns, tokenColumns, tokens } from "./spent.query.ts";

/** The newest; sums and the dearest step are of all. */
export const stepsRead = 200;

export interface Step extends Total {
  epoch: number;
  step: number;
  /** Null where a call of the step is not split. */
  parts: CostParts | null;
  /** As the providers report them, each once. */
  models: string[];
  personas: string[];
  failed: number;
  interrupted: number;
  /** Calls whose tokens were not told whole. */
  unsure: number;
  /** Of all its calls together. */
  durationMs: number;
  /** When its last call was over, on the clock of the factory that made it. */
  endedAt: number;
}

export interface TaskCost {
  /** Oldest first. */
  steps: Step[];
  /** Null where no call has a price. */
  dearest: Step | null;
  /** Calls for which their step had a call before. */
  again: Money;
  attempts: (Money & { epoch: number })[];
}

const each = (column: SQL | typeof usages.model | typeof usages.persona) => sql<string>`json_group_array(distinct ${column})`;

const stepColumns = {
  epoch: usages.epoch,
  step: usages.step,
  ...spentColumns,
  ...tokenColumns,
  split: count(usages.costInput),
  input: sql<number>`total(${usages.costInput})`,
  cached: sql<number>`total(${usages.costCacheRead})`,
  written: sql<number>`total(${usages.costCacheWrite})`,
  said: sql<number>`total(${usages.costOutput})`,
  models: each(usages.model),
  personas: each(usages.persona),
  failed: sql<number>`total(${usages.outcome} = 'failed')`,
  interrupted: sql<number>`total(${usages.outcome} = 'interrupted')`,
  unsure: sql<number>`total(${usages.source} <> 'reported')`,
  durationMs: sql<number>`total(${usages.durationMs})`,
  endedAt: sql<number>`max(${usages.at} + ${usages.durationMs})`,
};

/** The queries of one task's cost, for a batch; `taskCost` reads what they find. */
export function askTaskCost(db: DashboardDb, task: string) {
  const its = eq(usages.task, task);
  const steps = () => db.select(stepColumns).from(usages).where(its).groupBy(usages.epoch, usages.step);
  const nth =
    sql<number>`row_number() over (partition by ${usages.epoch}, ${usages.step} order by ${usages.try}, ${usages.at}, ${usages.id})`.as(
      "nth",
    );
  const numbered = db.select({ cost: usages.cost, nth }).from(usages).where(its).as("numbered");
  return [
    steps().orderBy(desc(usages.epoch), desc(usages.step)).limit(stepsRead),
    steps().orderBy(desc(spentColumns.cost), asc(usages.epoch), asc(usages.step)).limit(1),
    db
      .select({ cost: sql<string | null>`sum(${numbered.cost})`, calls: count(), priced: count(numbered.cost) })
      .from(numbered)
      .where(sql`${numbered.nth} > 1`),
    db
      .select({ epoch: usages.epoch, ...spentColumns })
      .from(usages)
      .where(its)
      .groupBy(usages.epoch)
      .orderBy(asc(usages.epoch)),
  ] as const;
}

type Answers<T extends readonly unknown[]> = { -readonly [I in keyof T]: Awaited<T[I]> };
type Found = Answers<ReturnType<typeof askTaskCost>>;

export function taskCost([steps, dearest, again, attempts]: Found): TaskCost {
  const most = dearest[0] && stepOf(dearest[0]);
  return {
    steps: steps.map(stepOf).toReversed(),
    dearest: most && most.unpriced < most.calls ? most : null,
    again: again[0] ? money(again[0]) : { cost: 0, calls: 0, unpriced: 0 },
    attempts: attempts.map((row) => ({ epoch: row.epoch, ...money(row) })),
  };
}

function stepOf(row: Found[0][number]): Step {
  const { epoch, step, failed, interrupted, unsure, durationMs, endedAt } = row;
  const parts = { input: row.input, cacheRead: row.cached, cacheWrite: row.written, output: row.said };
  return {
    ...{ epoch, step, failed, interrupted, unsure, durationMs, endedAt },
    ...money(row),
    usage: tokens(row),
    parts: row.split === row.calls ? parts : null,
    models: JSON.parse(row.models),
    personas: JSON.parse(row.personas),
  };
}
