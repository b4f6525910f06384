/** Tokens and money. Money is an integer of nano-dollars: $1 = 1_000_000_000, so $3 per million tokens is 3,000 a token. */
import * as z from "zod";

export const nanosPerUsd = 1_000_000_000;

/** No call comes near these; what says more is refused, so that no sum of them is more than a number holds. */
const tokens = z.int().nonnegative().max(100_000_000);
const mostCost = 1000 * nanosPerUsd;

/** Tokens of one model call. The four inputs and output are disjoint; reasoning is part of output. */
export const usageSchema = z.strictObject({
  uncachedIn: tokens,
  cacheRead: tokens,
  write5m: tokens,
  write1h: tokens,
  output: tokens,
  reasoning: tokens,
});
export type Usage = z.infer<typeof usageSchema>;

export const noUsage: Usage = { uncachedIn: 0, cacheRead: 0, write5m: 0, write1h: 0, output: 0, reasoning: 0 };

/** How the numbers of an entry came to be: told whole, told in part, reckoned by us, or nobody knows. */
export const usageSources = ["reported", "partial", "estimated", "missing"] as const;

/**
 * Who pays for a call: `metered` at list price; `subscription`: a plan, so nothing more than what is paid already; `local`: a model on
 * the owner's machine. The list price is recorded for all of them.
 */
export const billingModes = ["metered", "subscription", "local"] as const;
export type BillingMode = (typeof billingModes)[number];

/** `interrupted`: nobody waited for its end, but it was made and costs. */
export const callOutcomes = ["ok", "failed", "interrupted"] as const;

/** One call of a model's endpoint, failed and interrupted ones included. Append-only; `id` makes a repeated delivery a no-op. */
export const ledgerEntrySchema = z.strictObject({
  id: z.string().min(8).max(64),
  /** Null: a turn of the primary's. */
  task: z.string().max(64).nullable(),
  epoch: z.int().nonnegative(),
  step: z.int().nonnegative(),
  /** From 1: a step whose call failed and was made again has several entries. */
  try: z.int().positive().max(1000),
  factory: z.string().max(64),
  persona: z.string().max(64),
  seat: z.string().max(32),
  /** Who made the call: `uac`, or an engine of somebody else's. */
  engine: z.string().max(32),
  provider: z.string().max(64),
  /** As it was asked for. */
  requestedModel: z.string().max(128),
  /** As the provider reports it. */
  model: z.string().max(128),
  /** The provider's names for the request and for the message, where it gave any. */
  requestId: z.string().max(128).nullable(),
  messageId: z.string().max(128).nullable(),
  at: z.int(),
  durationMs: z.int().nonnegative(),
  usage: usageSchema,
  source: z.enum(usageSources),
  /** The price list that `cost` was reckoned with, and its date; null where none knows the model. */
  prices: z.string().max(64).nullable(),
  /** At list price, nano-dollars; null is unpriced, never 0. */
  cost: z.int().nonnegative().max(mostCost).nullable(),
  billing: z.enum(billingModes),
  /** What it adds to a bill, nano-dollars: `cost` where it is metered, else 0; null is unknown. */
  billed: z.int().nonnegative().max(mostCost).nullable(),
  outcome: z.enum(callOutcomes),
});
export type LedgerEntry = z.infer<typeof ledgerEntrySchema>;

/** What a call adds to a bill. */
export function billedOf(cost: number | null, billing: BillingMode): number | null {
  return billing === "metered" ? cost : 0;
}

const count = z.int().nonnegative();

export const totalSchema = z.strictObject({
  /** Sum of the priced entries, nano-dollars. */
  cost: count,
  calls: count,
  /** Entries without a price: the sum is a floor when this is not 0. */
  unpriced: count,
  usage: z.strictObject({ uncachedIn: count, cacheRead: count, write5m: count, write1h: count, output: count, reasoning: count }),
});
export type Total = z.infer<typeof totalSchema>;

export const noTotal: Total = { cost: 0, calls: 0, unpriced: 0, usage: noUsage };

/** The one definition of "total". */
export function sum(entries: readonly Pick<LedgerEntry, "usage" | "cost">[]): Total {
  return entries.reduce<Total>(
    (total, entry) => ({
      cost: total.cost + (entry.cost ?? 0),
      calls: total.calls + 1,
      unpriced: total.unpriced + (entry.cost === null ? 1 : 0),
      usage: addUsage(total.usage, entry.usage),
    }),
    noTotal,
  );
}

/** A total, and what of it somebody is billed for: nothing of what a plan pays, or an own machine. */
export interface Spend extends Total {
  /** Nano-dollars. */
  billed: number;
  /** Calls that are billed at a price that nobody knows: `billed` is a floor when this is not 0. */
  unbilled: number;
}

export const noSpend: Spend = { ...noTotal, billed: 0, unbilled: 0 };

export function addSpend(a: Spend, b: Spend): Spend {
  return {
    cost: a.cost + b.cost,
    calls: a.calls + b.calls,
    unpriced: a.unpriced + b.unpriced,
    usage: addUsage(a.usage, b.usage),
    billed: a.billed + b.billed,
    unbilled: a.unbilled + b.unbilled,
  };
}

/** As `showCost`, of what is billed. */
export function showBilled({ billed, calls, unbilled }: Pick<Spend, "billed" | "calls" | "unbilled">): string {
  return showCost({ cost: billed, calls, unpriced: unbilled });
}

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    uncachedIn: a.uncachedIn + b.uncachedIn,
    cacheRead: a.cacheRead + b.cacheRead,
    write5m: a.write5m + b.write5m,
    write1h: a.write1h + b.write1h,
    output: a.output + b.output,
    reasoning: a.reasoning + b.reasoning,
  };
}

/** Every token of a call, each counted once. */
export function tokensOf(usage: Usage): number {
  return usage.uncachedIn + usage.cacheRead + usage.write5m + usage.write1h + usage.output;
}

/** `$0.0123`, `$4.21`, `unpriced`, `≥ $0.50 (2 calls unpriced)`. */
export function showCost(total: { cost: number; calls: number; unpriced: number }): string {
  if (total.unpriced === 0) return showNanos(total.cost);
  if (total.unpriced === total.calls) return "unpriced";
  return `≥ ${showNanos(total.cost)} (${total.unpriced} ${total.unpriced === 1 ? "call" : "calls"} unpriced)`;
}

/** Nano-dollars for a person: cents from a dollar up, else four places; never rounds a spend to nothing. */
export function showNanos(nanos: number): string {
  if (nanos === 0) return "$0.00";
  const usd = nanos / nanosPerUsd;
  // What four places would round up to a dollar is shown as one.
  if (usd >= 0.99995) return `$${usd.toFixed(2)}`;
  return usd < 0.0001 ? "<$0.0001" : `$${usd.toFixed(4)}`;
}

/** Dollars as a person writes them, to nano-dollars. Null unless a number from 0 to nine million with at most nine decimals. */
export function parseUsd(text: string): number | null {
  if (!/^\d{1,9}(\.\d{1,9})?$/.test(text)) return null;
  const [whole = "0", part = ""] = text.split(".");
  const nanos = Number(whole) * nanosPerUsd + Number(part.padEnd(9, "0"));
  // Beyond 2^53 a sum of money is no longer exact.
  return Number.isSafeInteger(nanos) ? nanos : null;
}
