/** What a call's cost is made of. */
import type { LedgerEntry, Price } from "./ledger.ts";
import { priceOf } from "./prices.ts";

/** Nano-dollars at list price, by the kind of token. */
export interface CostParts {
  input: number;
  cacheRead: number;
  cacheWrite: number;
  output: number;
}

/** The parts of an entry's cost by this house's price list. */
export function partsOf(entry: Pick<LedgerEntry, "provider" | "requestedModel" | "usage" | "cost">): CostParts | null {
  const { uncachedIn, cacheRead, write5m, write1h } = entry.usage;
  return splitCost(entry, priceOf(entry.provider, entry.requestedModel, uncachedIn + cacheRead + write5m + write1h));
}

/**
 * Parts that come to `cost` exactly. Null where there is no cost or no price, and where this price does not give that cost: then
 * it was reckoned with another list, and what its parts are nobody here knows.
 */
export function splitCost({ usage, cost }: Pick<LedgerEntry, "usage" | "cost">, price: Price | null): CostParts | null {
  if (cost === null || price === null) return null;
  const exact = [
    usage.uncachedIn * price.uncachedIn,
    usage.cacheRead * price.cacheRead,
    usage.write5m * price.write5m + usage.write1h * price.write1h,
    usage.output * price.output,
  ];
  // A cost is rounded once, to a whole nano-dollar.
  if (Math.abs(exact.reduce((sum, part) => sum + part, 0) - cost) >= 1) return null;
  const [input = 0, read = 0, write = 0, output = 0] = wholeParts(exact, cost);
  return { input, cacheRead: read, cacheWrite: write, output };
}

/** Rounded so that they come to `sum`: what rounding down leaves goes to those that lost most. `sum` is less than 1 off theirs. */
function wholeParts(exact: readonly number[], sum: number): number[] {
  const whole = exact.map(Math.floor);
  const left = sum - whole.reduce((total, part) => total + part, 0);
  const most = exact.map((part, i) => ({ i, lost: part - (whole[i] ?? 0) })).toSorted((a, b) => b.lost - a.lost);
  for (const { i } of most.slice(0, left)) whole[i] = (whole[i] ?? 0) + 1;
  return whole;
}
