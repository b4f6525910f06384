/**
 * When what was spent counts against a budget, and until when. Days and months are UTC. A window is rolling: what was spent in the last
 * so many hours. A provider's own window begins with a first call that may have been made outside of the corporation, so nobody here knows
 * where it stands; what never spends more in any such time never spends more in that one either. And it needs no memory of its own.
 */
import * as z from "zod";
import { type Bound, type Budget, budgetSchema } from "./budget.ts";
import { dayOf, lengthOf, showDay } from "./calendar.ts";

type When = Pick<Budget, "period" | "windowMs">;

const dayMs = 86_400_000;

/** What was spent before does not count; null: everything does. */
export function startOf({ period, windowMs = 0 }: When, now: number): number | null {
  switch (period) {
    case "task":
      return null;
    case "day":
      return now - (now % dayMs);
    case "month":
      return monthOf(now, 0);
    case "window":
      return now - windowMs;
  }
}

/** When nothing that is spent by now counts any more; null: never. */
export function endOf({ period, windowMs = 0 }: When, now: number): number | null {
  switch (period) {
    case "task":
      return null;
    case "day":
      return now - (now % dayMs) + dayMs;
    case "month":
      return monthOf(now, 1);
    case "window":
      return now + windowMs;
  }
}

/** Where this month began, or the next one begins. */
function monthOf(now: number, next: 0 | 1): number {
  const days = Math.floor(now / dayMs);
  const today = dayOf(days);
  return (days - (today.day - 1) + next * lengthOf(today)) * dayMs;
}

/** Does what was said of a budget at `at` still hold? A word about a day ends with that day. */
export function holds(when: When, at: number, now: number): boolean {
  const end = endOf(when, at);
  return end === null || now < end;
}

/** The owner let it go further, until its period is over. */
export const raiseSchema = z.strictObject({
  /** The whole of it from then on, in the budget's unit. */
  amount: z.int().positive(),
  at: z.int(),
});
export type Raise = z.infer<typeof raiseSchema>;

/** What may be spent of it now. */
export function amountOf(budget: Budget, raise: Raise | null, now: number): number {
  return raise && holds(budget, raise.at, now) ? Math.max(budget.amount, raise.amount) : budget.amount;
}

/** A budget of headquarters' as a factory is told of it. */
export const toldBudgetSchema = z.strictObject({
  budget: budgetSchema,
  raise: raiseSchema.nullable(),
  /** What others spent of it in this period, in its unit. */
  elsewhere: z.int().nonnegative(),
  at: z.int(),
});
export type ToldBudget = z.infer<typeof toldBudgetSchema>;

/** As a call meets it now: what others spent is forgotten with the period in which they did. */
export function boundOf({ budget, raise, elsewhere, at }: ToldBudget, now: number): Bound {
  return {
    budget: { ...budget, amount: amountOf(budget, raise, now) },
    since: startOf(budget, now),
    elsewhere: holds(budget, at, now) ? elsewhere : 0,
  };
}

/** Per cent of a budget at which its owner hears of it. */
export const alertsAt = [50, 80, 100] as const;

/** The highest that is reached; 0: none is. */
export function alertOf(spent: number, amount: number): number {
  return alertsAt.findLast((percent) => spent * 100 >= amount * percent) ?? 0;
}

export interface Forecast {
  /** What the period comes to at the present pace. */
  atEnd: number;
  /** When the budget is used up at that pace; null: not in this period. */
  usedUpAt: number | null;
}

/** Shorter than this, a period says nothing of its pace. */
const tellingMs = 600_000;

/** Null where there is no pace: at a period's beginning, and for windows, whose present use is all that counts. */
export function forecastOf(budget: When, spent: number, amount: number, now: number): Forecast | null {
  const [start, end] = [startOf(budget, now), endOf(budget, now)];
  if (budget.period === "window" || start === null || end === null || now - start < tellingMs) return null;
  const atEnd = Math.round((spent * (end - start)) / (now - start));
  if (spent >= amount) return { atEnd, usedUpAt: now };
  return { atEnd, usedUpAt: atEnd < amount ? null : Math.min(end, Math.ceil(start + ((now - start) * amount) / spent)) };
}

/**
 * When a window is used up at the pace since the oldest that counts; null where that is too short ago to say, or where it begins to
 * free itself before.
 */
export function paceOfWindow(of: { spent: number; amount: number; oldest: number; windowMs: number }, now: number): number | null {
  const { spent, amount, oldest, windowMs } = of;
  if (spent >= amount) return now;
  if (spent <= 0 || now - oldest < tellingMs) return null;
  const at = Math.ceil(oldest + ((now - oldest) * amount) / spent);
  return at < oldest + windowMs ? at : null;
}

/** A sentence, led by a blank; empty where it never does. */
export function showReset({ period, windowMs = 0 }: When, now: number): string {
  const end = endOf({ period, windowMs }, now);
  if (end === null) return "";
  if (period === "window") return ` What is spent counts for ${windowMs / 3_600_000} h.`;
  return ` It begins anew on ${showDay(end / dayMs)} at 00:00 UTC.`;
}
