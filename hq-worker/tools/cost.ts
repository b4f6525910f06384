/** What was spent, from the ledger's sums of days. */
import * as z from "zod";
import { startOfDay } from "#core/day.ts";
import { addSpend, noSpend, type Spend, showBilled, showCost, showNanos, tokensOf } from "#core/ledger.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import type { OwnerBudget } from "#ports/budgets.ts";
import type { Spent } from "#ports/store.ts";
import type { Tool } from "#ports/tool.ts";
import { lineOf } from "./budget.ts";

const input = z.strictObject({});
/** Of factories, of models, and of budgets: what a chat's message has room for. The totals are of all. */
const mostLines = 15;

export function costTool(hq: Headquarters): Tool<z.infer<typeof input>> {
  return {
    name: "cost",
    description: "What was spent today and this month, by factory and by model, and what of it has no price or is paid by a plan.",
    input,
    needs: null,
    repeatable: true,
    run: async () => ({ content: await costReport(hq) }),
  };
}

/** Days and months are UTC. */
export async function costReport(hq: Headquarters): Promise<string> {
  const now = hq.clock.now();
  const [{ factories, models }, budgets] = await Promise.all([
    hq.store.ledger.spent({ today: startOfDay(now), month: startOfMonth(now) }),
    hq.store.budgets.standings(now),
  ]);
  const today = factories.map((one) => one.today).reduce(addSpend, noSpend);
  const month = factories.map((one) => one.month).reduce(addSpend, noSpend);
  const ofBudgets = budgetLines(budgets, now);
  if (month.calls === 0) return ["Nothing was spent this month, today included: $0.00.", ...ofBudgets].join("\n");
  return [
    `Today: ${showCost(today)}, ${used(today)}. This month: ${showCost(month)}, ${used(month)}.`,
    ...billedLine(today, month),
    "",
    "By factory, today · this month:",
    ...linesOf(factories, ({ factory }) => factory),
    "",
    "By model, today · this month:",
    ...linesOf(models, nameOf),
    ...notMetered(models),
    ...unpricedLines(models),
    ...ofBudgets,
  ].join("\n");
}

function startOfMonth(now: number): number {
  const date = new Date(now);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
}

function used({ calls, usage }: Spend): string {
  return `${tokensOf(usage)} tokens in ${countOf(calls)}`;
}

/** Said only where the bill is not the list price. */
function billedLine(today: Spend, month: Spend): string[] {
  if (showBilled(month) === showCost(month)) return [];
  return [`Of that ${showBilled(today)} today and ${showBilled(month)} this month is billed; the rest is paid by plans, or ran here.`];
}

function linesOf<T extends Spent["factories"][number] | Spent["models"][number]>(all: readonly T[], nameOf: (one: T) => string): string[] {
  const lines = all.slice(0, mostLines).map((one) => `${nameOf(one)}: ${showCost(one.today)} · ${showCost(one.month)}`);
  return all.length > mostLines ? [...lines, `and ${all.length - mostLines} more, each for less`] : lines;
}

function nameOf({ provider, model, billing }: Spent["models"][number]): string {
  return `${provider}/${model}${billing === "metered" ? "" : ` (${billing})`}`;
}

/** What plans and own machines did: tokens and list price beside a bill of nothing. */
function notMetered(models: Spent["models"]): string[] {
  const plans = models.filter(({ billing }) => billing !== "metered");
  if (plans.length === 0) return [];
  const lines = plans.slice(0, mostLines).map((plan) => {
    const worth = plan.month.unpriced === plan.month.calls ? "at no known price" : `${showCost(plan.month)} at list price`;
    return `${nameOf(plan)}: ${showNanos(0)} billed this month, ${used(plan.month)}, ${worth}`;
  });
  return ["", "Plans and own machines:", ...lines];
}

function unpricedLines(models: Spent["models"]): string[] {
  const unknown = models.filter(({ month }) => month.unbilled > 0);
  if (unknown.length === 0) return [];
  const lines = unknown.slice(0, mostLines).map((one) => `${nameOf(one)}: ${one.month.unbilled} of ${countOf(one.month.calls)}`);
  return ["", "Without a price this month, so that the bill is higher than is said here:", ...lines];
}

function budgetLines(budgets: readonly OwnerBudget[], now: number): string[] {
  if (budgets.length === 0) return [];
  const more = budgets.length > mostLines ? [`and ${budgets.length - mostLines} more: /budget`] : [];
  return ["", "Budgets:", ...budgets.slice(0, mostLines).map((one) => lineOf(one, now)), ...more];
}

function countOf(calls: number): string {
  return `${calls} ${calls === 1 ? "call" : "calls"}`;
}
