/**
 * What a factory may spend beside the limits of its tasks: its own budgets, and those of headquarters as it last told them. They hold
 * while headquarters is away, and over a restart.
 */
import type { Bound, Budget } from "#core/budget.ts";
import { boundOf, type ToldBudget, toldBudgetSchema } from "#core/budget-period.ts";
import type { Journal } from "#ports/journal.ts";

export interface Allowances {
  /** What binds a call that a VP makes now. */
  bounds(seat: string, now: number): Bound[];
  /** Headquarters' word replaces the one before; durable when it resolves. */
  hear(told: readonly ToldBudget[]): Promise<void>;
}

const key = "budgets";

/** `own`: as its settings say. What an earlier version of the program noted and this one can't read is told anew by a heartbeat. */
export async function openAllowances(journal: Pick<Journal, "get" | "set">, own: readonly Budget[]): Promise<Allowances> {
  const mine = own.map((budget): ToldBudget => ({ budget, raise: null, elsewhere: 0, at: 0 }));
  const kept = toldBudgetSchema.array().safeParse(JSON.parse((await journal.get(key)) ?? "[]"));
  let told: readonly ToldBudget[] = kept.success ? kept.data : [];
  return {
    bounds: (seat, now) =>
      [...mine, ...told].filter(({ budget: { scope } }) => scope.kind !== "vp" || scope.of === seat).map((one) => boundOf(one, now)),
    async hear(changed) {
      if (told.length === 0 && changed.length === 0) return;
      told = changed;
      await journal.set(key, JSON.stringify(changed));
    },
  };
}
