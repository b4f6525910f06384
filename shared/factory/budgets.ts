/** Headquarters' side of the owner's budgets: what binds whom, how far each is used, and when its owner hears of it. */
import { type Bound, showAmount, showBudget } from "#core/budget.ts";
import {
  alertOf,
  amountOf,
  boundOf,
  endOf,
  type Forecast,
  forecastOf,
  holds,
  paceOfWindow,
  showReset,
  type ToldBudget,
} from "#core/budget-period.ts";
import { byline } from "#core/persona.ts";
import { bold, italic, rich } from "#core/rich-text.ts";
import type { OwnerBudget } from "#ports/budgets.ts";
import type { Headquarters } from "./headquarters.ts";

interface Spender {
  factory: string;
  /** Null: not known, so a budget of one VP alone does not bind. */
  seat: string | null;
}

/** Budgets that one tick tells of; the next goes on. */
const perTick = 5;
/** Calls that one takes. */
const callsEach = 2;

export function spentOf({ recorded, live }: OwnerBudget): number {
  return recorded + live;
}

/** Whether it binds what this factory spends; `seat` "any": some VP of it. */
function binds({ budget: { scope } }: OwnerBudget, { factory, seat }: Spender, any: boolean): boolean {
  switch (scope.kind) {
    case "corporation":
      return true;
    case "factory":
      return scope.of === factory;
    case "vp":
      return any || scope.of === seat;
    default:
      return false;
  }
}

/** The first budget of which nothing is left for it; null: there is none. */
export function usedUp(budgets: readonly OwnerBudget[], who: Spender, now: number, seats?: "any"): OwnerBudget | null {
  const isUsedUp = (one: OwnerBudget) => spentOf(one) >= amountOf(one.budget, one.raise, now);
  return budgets.find((one) => binds(one, who, seats === "any") && isUsedUp(one)) ?? null;
}

/** `desk-1's budget of $5.00 a day is used up: $5.02 spent. It begins anew on …`. */
export function showUsedUp(one: OwnerBudget, now: number): string {
  const { unit } = one.budget;
  return `${showBudget(asItIs(one, now))} is used up: ${showAmount(unit, spentOf(one))} spent.${showReset(one.budget, now)}`;
}

/** With the amount that holds now. */
export function asItIs({ budget, raise }: OwnerBudget, now: number) {
  return { ...budget, amount: amountOf(budget, raise, now) };
}

/** What a factory is told with each heartbeat. */
export async function budgetsFor({ store, clock }: Pick<Headquarters, "store" | "clock">, factory: string): Promise<ToldBudget[]> {
  const now = clock.now();
  const all = await store.budgets.standings(now, factory);
  return all
    .filter((one) => binds(one, { factory, seat: null }, true))
    .map((one) => ({ budget: one.budget, raise: one.raise, elsewhere: spentOf(one), at: now }));
}

/** What binds a call of the primary's here. The ledger is at hand; of tasks under way a heartbeat told. */
export function boundsHere(budgets: readonly OwnerBudget[], who: Spender, now: number): Bound[] {
  return budgets
    .filter((one) => binds(one, who, false))
    .map(({ budget, raise, live }) => boundOf({ budget, raise, elsewhere: live, at: now }, now));
}

/** At 50, 80 and 100 per cent, once each in a period: the letter's key names them, so a crash before it is noted repeats nothing. */
export async function tellOfBudgets(deps: Headquarters): Promise<void> {
  const { store, clock, settings } = deps;
  const now = clock.now();
  const [chat] = settings.owners;
  if (chat === undefined) return;
  let told = 0;
  for (const one of await store.budgets.standings(now)) {
    const percent = alertOf(spentOf(one), amountOf(one.budget, one.raise, now));
    const before = holds(one.budget, one.alerted.at, now) ? one.alerted.percent : 0;
    if (percent <= before) continue;
    if (told === perTick || deps.callsLeft() < callsEach) return;
    told += 1;
    await store.letters.add([alertLetter(deps, chat, one, percent)], now);
    await store.budgets.alerted(one.budget.id, percent, now);
  }
}

function alertLetter({ profile, clock }: Headquarters, chat: number, one: OwnerBudget, percent: number) {
  const now = clock.now();
  const { budget, alerted } = one;
  // Of a window nobody can say when it began: the last word about it tells one from the next.
  const period = budget.period === "window" ? `since-${alerted.at}` : `to-${endOf(budget, now)}`;
  const content = rich(
    bold(`${showBudget(asItIs(one, now))}: ${percent} % of it is spent`),
    `\n${showAmount(budget.unit, spentOf(one))} so far.${showPace(one, now)}${showReset(budget, now)} /budget lists and changes them.\n`,
    italic(byline(profile.personas.primary, profile.name)),
  );
  return {
    key: `budget:${budget.id}:${period}:${percent}`,
    chat,
    body: { kind: "text" as const, content, buttons: [], silent: percent < 100, replyTo: null },
  };
}

/** At the present pace; null where there is none yet. `atEnd` is null for a window, which has no end. */
export function paceOf(
  { budget, raise, oldest, ...used }: OwnerBudget,
  now: number,
): (Omit<Forecast, "atEnd"> & { atEnd: number | null }) | null {
  const [spent, amount] = [used.recorded + used.live, amountOf(budget, raise, now)];
  if (budget.period !== "window" || budget.windowMs === undefined) return forecastOf(budget, spent, amount, now);
  const usedUpAt = oldest === null ? null : paceOfWindow({ spent, amount, oldest, windowMs: budget.windowMs }, now);
  return usedUpAt === null ? null : { atEnd: null, usedUpAt };
}

/** When it begins anew, or the first of a window's spending counts no more; null: nothing of it is spent. */
export function resetsAt({ budget, oldest }: OwnerBudget, now: number): number | null {
  if (budget.period !== "window" || budget.windowMs === undefined) return endOf(budget, now);
  return oldest === null ? null : oldest + budget.windowMs;
}

/** Whole per cent, never more than is spent: 100 is used up. */
export function shareOf(one: OwnerBudget, now: number): number {
  return Math.floor((spentOf(one) * 100) / amountOf(one.budget, one.raise, now));
}

/**
 * The one that is in the way first: it is used up, or will be soonest at the present pace, or the least of it is left. Null where
 * nothing is spent of any.
 */
export function bindsFirst(budgets: readonly OwnerBudget[], now: number): OwnerBudget | null {
  const used = (one: OwnerBudget) => spentOf(one) / amountOf(one.budget, one.raise, now);
  const due = (one: OwnerBudget) => (used(one) >= 1 ? now : (paceOf(one, now)?.usedUpAt ?? Number.MAX_SAFE_INTEGER));
  const [first] = budgets.filter((one) => spentOf(one) > 0).toSorted((a, b) => due(a) - due(b) || used(b) - used(a));
  return first ?? null;
}

/** A sentence, led by a blank; empty where there is no pace yet. */
export function showPace(one: OwnerBudget, now: number): string {
  const pace = paceOf(one, now);
  if (!pace) return "";
  const { atEnd, usedUpAt } = pace;
  if (usedUpAt === null) return atEnd === null ? "" : ` At this pace it comes to ${showAmount(one.budget.unit, atEnd)}.`;
  if (usedUpAt <= now) return "";
  return ` At this pace it is used up on ${new Date(usedUpAt).toISOString().slice(0, 16).replace("T", " at ")} UTC.`;
}
