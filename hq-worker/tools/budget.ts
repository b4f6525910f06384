/** What the owner lets the corporation spend: listed, set, taken away. By hand alone: no model sets a budget. */
import { showAmount, showBudget, showPeriod } from "#core/budget.ts";
import { amountOf, showReset } from "#core/budget-period.ts";
import { parseBudget } from "#core/budget-words.ts";
import { asItIs, resetsAt, shareOf, showPace, spentOf } from "#factory/budgets.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import type { OwnerBudget } from "#ports/budgets.ts";

/** As many as a heartbeat's answer carries with ease. */
const most = 50;

export async function budgetReport(hq: Headquarters): Promise<string> {
  const now = hq.clock.now();
  const all = await hq.store.budgets.standings(now);
  const { usd, tokens } = hq.profile.limits;
  const each = `Each task has its limits beside: at most ${showAmount("usd", usd)} and ${showAmount("tokens", tokens)} here, or what its machine says.`;
  if (all.length === 0) return `There are no budgets. Set one: /budget factory desk-1 day $5\n${each}`;
  return [...all.map((one) => lineOf(one, now)), each].join("\n");
}

/** One line: the budget, what is spent of it, its pace, when it begins anew. */
export function lineOf(one: OwnerBudget, now: number): string {
  const { budget, raise } = one;
  const amount = amountOf(budget, raise, now);
  const raised = amount > budget.amount ? ` (raised from ${showAmount(budget.unit, budget.amount)} for now)` : "";
  return `${showBudget(asItIs(one, now))}${raised}: ${showAmount(budget.unit, spentOf(one))} spent, ${shareOf(one, now)} %.${showPace(one, now)}${resetOf(one, now)}`;
}

/** A window frees itself as what was spent grows old. */
function resetOf(one: OwnerBudget, now: number): string {
  if (one.budget.period !== "window") return showReset(one.budget, now);
  const at = resetsAt(one, now);
  return at === null ? "" : ` It frees itself from ${new Date(at).toISOString().slice(11, 16)} UTC on.`;
}

/** Resolves to what was done, or to what is wrong with the words. */
export async function changeBudget(hq: Headquarters, words: string): Promise<string> {
  const { store, clock, profile } = hq;
  const wish = parseBudget(words, "hq");
  if ("slip" in wish) return wish.slip;
  if ("remove" in wish) {
    const gone = await store.budgets.remove(wish.remove);
    return gone.length === 0
      ? "There is no such budget; /budget lists them."
      : "It is gone: nothing but the other budgets bounds that now.";
  }
  const { scope } = wish.set;
  if (scope.kind === "factory" && scope.of !== profile.id && !(await store.factories.get(scope.of))) {
    return `No factory is called ${scope.of}; /fleet lists them.`;
  }
  const all = await store.budgets.standings(clock.now());
  if (all.length >= most && !all.some(({ budget }) => budget.id === wish.set.id)) {
    return `There are ${most} budgets already; take one away first: /budget <whose> <period> off.`;
  }
  await store.budgets.set(wish.set, clock.now());
  const amount = `${showAmount(wish.set.unit, wish.set.amount)}${showPeriod(wish.set)}`;
  return `${showBudget(wish.set).replace(/ of .*/, "")}: ${amount} from now on. A machine that is there hears of it within half a minute.`;
}
