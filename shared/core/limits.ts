/** What bounds one task. Every number is checked: no, negative or NaN budgets are refused, never read as "unlimited". */
import * as z from "zod";
import { nanosPerUsd } from "./ledger.ts";

export const limitsSchema = z.strictObject({
  /** Spend at list price, nano-dollars. */
  usd: z.int().positive(),
  tokens: z.int().positive(),
  steps: z.int().positive().max(1000),
  /** Seconds from claim to result. */
  wallS: z.int().positive().max(86_400),
});
/** Longest instruction that an order carries, characters. */
export const longestInstruction = 20_000;

export type Limits = z.infer<typeof limitsSchema>;

export const defaultLimits: Limits = { usd: 3 * nanosPerUsd, tokens: 5_000_000, steps: 150, wallS: 45 * 60 };

/** The narrower of two, limit by limit. */
export function narrower(a: Limits, b: Limits): Limits {
  return {
    usd: Math.min(a.usd, b.usd),
    tokens: Math.min(a.tokens, b.tokens),
    steps: Math.min(a.steps, b.steps),
    wallS: Math.min(a.wallS, b.wallS),
  };
}

/** `limits` with so little time that what begins at `begunAt` is over by `deadline` (both ms); a second at least. */
export function endingBy(limits: Limits, deadline: number | null, begunAt: number): Limits {
  if (deadline === null) return limits;
  return { ...limits, wallS: Math.min(limits.wallS, Math.max(1, Math.floor((deadline - begunAt) / 1000))) };
}
