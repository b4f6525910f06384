/** What may be spent, on what, and since when it counts. Money is nano-dollars at list price, tokens are all of a call's, each once. */
import * as z from "zod";
import { showNanos } from "./ledger.ts";
import type { Limits } from "./limits.ts";

const of = z.string().min(1).max(64);

/** `turn`: one of the primary's; `of` is then the number of the message that it answers. */
export const budgetScopeSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("task"), of, epoch: z.int().positive() }),
  z.strictObject({ kind: z.literal("turn"), of: z.int().nonnegative() }),
  z.strictObject({ kind: z.literal("vp"), of }),
  z.strictObject({ kind: z.literal("factory"), of }),
  z.strictObject({ kind: z.literal("corporation") }),
]);
export type BudgetScope = z.infer<typeof budgetScopeSchema>;

/** `task`: from the beginning of the task or turn to its end. */
export const budgetPeriods = ["task", "day", "month", "window"] as const;
export const budgetUnits = ["usd", "tokens"] as const;

export const budgetSchema = z.strictObject({
  id: z.string().min(1).max(128),
  scope: budgetScopeSchema,
  period: z.enum(budgetPeriods),
  /** Of a window, milliseconds. */
  windowMs: z.int().positive().optional(),
  unit: z.enum(budgetUnits),
  /** Nano-dollars or tokens. */
  amount: z.int().positive(),
});
export type Budget = z.infer<typeof budgetSchema>;

/** A budget as one call meets it. */
export interface Bound {
  budget: Budget;
  /** What was spent before does not count, ms; null: everything does. */
  since: number | null;
  /** What others spent of it, where their entries are not known here; in the budget's unit. */
  elsewhere: number;
}

/** Where a bound stands. All in the budget's unit. */
export interface Standing {
  bound: Bound;
  /** Settled, here and elsewhere. */
  spent: number;
  /** Held back for calls that are not over. */
  reserved: number;
}

type Own = Extract<BudgetScope, { kind: "task" | "turn" }>;

/** The limits of one task's attempt, or of one turn, as budgets. */
export function limitBudgets(scope: Own, limits: Pick<Limits, "usd" | "tokens">): Bound[] {
  const name = scope.kind === "task" ? `task:${scope.of}:${scope.epoch}` : `turn:${scope.of}`;
  return (["usd", "tokens"] as const).map((unit) => ({
    budget: { id: `${name}:${unit}`, scope, period: "task", unit, amount: limits[unit] },
    since: null,
    elsewhere: 0,
  }));
}

/** What a call may use at most; `usd` is null where nobody knows the price. */
export interface Asks {
  usd: number | null;
  tokens: number;
}

/** How much of a bound's unit that is. What has no price takes nothing of a budget of money. */
export function asksOf({ budget }: Bound, asks: Asks): number {
  return budget.unit === "usd" ? (asks.usd ?? 0) : asks.tokens;
}

/** True where a call will never fit, whatever becomes of those that are under way. */
export function isOver({ bound, spent }: Standing, asks: Asks): boolean {
  return spent + asksOf(bound, asks) > bound.budget.amount;
}

/** The bound that is in a call's way: one that will never hold it goes before one that only waits for others. Null: none. */
export function binding(standings: readonly Standing[], asks: Asks): Standing | null {
  const full = ({ bound, spent, reserved }: Standing) => spent + reserved + asksOf(bound, asks) > bound.budget.amount;
  return standings.find((standing) => isOver(standing, asks)) ?? standings.find(full) ?? null;
}

const owners = {
  task: (of: string) => `task ${of}`,
  turn: () => "this turn",
  vp: (of: string) => `the ${of}`,
  factory: (of: string) => of,
  corporation: () => "the corporation",
};

const periods = { task: "", day: " a day", month: " a month" };
const hourMs = 3_600_000;

/** ` a day`, ` in 5 h`; empty for the whole of a task. */
export function showPeriod({ period, windowMs = 0 }: Pick<Budget, "period" | "windowMs">): string {
  return period === "window" ? ` in ${windowMs / hourMs} h` : periods[period];
}

/** `task t1-1-1's budget of $3.00`. */
export function showBudget({ scope, unit, amount, ...when }: Budget): string {
  const owner = owners[scope.kind]("of" in scope ? String(scope.of) : "");
  return `${owner}'s budget of ${showAmount(unit, amount)}${showPeriod(when)}`;
}

export function showAmount(unit: Budget["unit"], amount: number): string {
  return unit === "usd" ? showNanos(amount) : `${amount.toLocaleString("en-US")} tokens`;
}

/** One sentence: which budget stands in the way, how far it is used, and what the call may need. */
export function showRefusal({ bound, spent }: Standing, asks: Asks): string {
  const { budget } = bound;
  const used = showAmount(budget.unit, spent);
  const need = showAmount(budget.unit, asksOf(bound, asks));
  const hint = "Raise the budget, or end the work here.";
  return `${showBudget(budget)} does not hold another call: ${used} spent, and the call may take up to ${need}. ${hint}`;
}

/** The sentence for a model without a price, where all budgets are in dollars. */
export function showUnpriced(budget: Budget, provider: string, model: string): string {
  return `${showBudget(budget)} can't hold ${provider}'s ${model}, whose price is not known. Give a budget in tokens beside it, or the model's price.`;
}
