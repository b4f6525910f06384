/**
 * What a call costs, exactly. A price is the decimal number that a list writes, in dollars per million tokens; a call is reckoned in
 * whole numbers of a fine unit and rounded once, half up, to a nano-dollar. What a list leaves unsaid about the cache is not free.
 */
import type { LedgerEntry, Usage } from "./ledger.ts";

/** Dollars per million tokens. Without a price of their own reads and writes are input, and writes for an hour are as those for 5 minutes. */
export interface Rates {
  input: number;
  output: number;
  cacheRead?: number | undefined;
  write5m?: number | undefined;
  write1h?: number | undefined;
}

/** `long`: the whole call costs this much where its input, cached or not, is longer than `over` tokens; the longest that fits. */
export interface Tariff extends Rates {
  long?: readonly (Rates & { over: number })[] | undefined;
}

/** One model's price at one time. Costs are nano-dollars. */
export interface Reckoner {
  /** The price list and its date, as a ledger entry names it. */
  list: string;
  cost(usage: Usage): number;
  /** What that cost is made of: whole numbers that come to it. */
  parts(usage: Usage): CostParts;
  /** What a call may cost before it is made: all of its input at the dearest, and the longest answer. Rounded up. */
  most(inputTokens: number, outputTokens: number): number;
}

/** Nano-dollars at list price, by the kind of token. */
export interface CostParts {
  input: number;
  cacheRead: number;
  cacheWrite: number;
  output: number;
}

/**
 * What an entry's cost is made of. Null where it has none, and where this list does not give it: then it was reckoned with another list,
 * and what its parts are nobody here knows.
 */
export function partsOf(
  entry: Pick<LedgerEntry, "provider" | "requestedModel" | "at" | "usage" | "cost">,
  priceOf: PriceOf,
): CostParts | null {
  const price = entry.cost === null ? null : priceOf(entry.provider, entry.requestedModel, entry.at);
  return price && price.cost(entry.usage) === entry.cost ? price.parts(entry.usage) : null;
}

/** `at`: when the call began, milliseconds since 1970. Null is unpriced, never free. */
export type PriceOf = (provider: string, model: string, at: number) => Reckoner | null;

/** Places after the point that a price may have. */
export const pricePlaces = 18;
/** 10^-18 dollars per million tokens times tokens, for one nano-dollar. */
const perNano = 10n ** BigInt(pricePlaces + 6 - 9);

export function reckoner(list: string, tariff: Tariff): Reckoner {
  const base = exact(tariff);
  const long = (tariff.long ?? []).map((rates) => ({ over: rates.over, ...exact(rates) })).toSorted((a, b) => a.over - b.over);
  const upTo = (input: number) => [base, ...long.filter(({ over }) => input > over)];
  /** Input, cached reads, cached writes, output. */
  const exactParts = ({ uncachedIn, cacheRead, write5m, write1h, output }: Usage) => {
    const rates = upTo(uncachedIn + cacheRead + write5m + write1h).at(-1) ?? base;
    return [
      BigInt(uncachedIn) * rates.input,
      BigInt(cacheRead) * rates.cacheRead,
      BigInt(write5m) * rates.write5m + BigInt(write1h) * rates.write1h,
      // Reasoning is inside of it.
      BigInt(output) * rates.output,
    ];
  };
  return {
    list,
    cost: (usage) => Number(rounded(sum(exactParts(usage)))),
    parts(usage) {
      const exact = exactParts(usage);
      const [input = 0, cacheRead = 0, cacheWrite = 0, output = 0] = wholeParts(exact, rounded(sum(exact)));
      return { input, cacheRead, cacheWrite, output };
    },
    most(inputTokens, outputTokens) {
      const all = upTo(inputTokens);
      const input = dearest(all.flatMap((rates) => [rates.input, rates.cacheRead, rates.write5m, rates.write1h]));
      const sum = BigInt(inputTokens) * input + BigInt(outputTokens) * dearest(all.map((rates) => rates.output));
      return Number((sum + perNano - 1n) / perNano);
    },
  };
}

function sum(parts: readonly bigint[]): bigint {
  return parts.reduce((total, part) => total + part, 0n);
}

function rounded(exact: bigint): bigint {
  return (exact + perNano / 2n) / perNano;
}

/** Rounded down, so that they come to `cost`: what that leaves of it goes to those that lost most. */
function wholeParts(exact: readonly bigint[], cost: bigint): number[] {
  const whole = exact.map((part) => part / perNano);
  const left = Number(cost - sum(whole));
  const lost = exact.map((part, i) => ({ i, part: part % perNano })).toSorted((a, b) => (a.part < b.part ? 1 : a.part > b.part ? -1 : 0));
  const raised = new Set(lost.slice(0, left).map(({ i }) => i));
  return whole.map((part, i) => Number(part) + (raised.has(i) ? 1 : 0));
}

function exact({ input, output, cacheRead = input, write5m = input, write1h = write5m }: Rates) {
  return { input: scaled(input), output: scaled(output), cacheRead: scaled(cacheRead), write5m: scaled(write5m), write1h: scaled(write1h) };
}

function dearest(prices: readonly bigint[]): bigint {
  let most = 0n;
  for (const price of prices) if (price > most) most = price;
  return most;
}

/** The decimal number that `value` is written as, in units of its last place allowed: 0.0028 is 0.0028, not its nearest binary fraction. */
function scaled(value: number): bigint {
  const { digits, places } = decimal(value);
  return BigInt(digits) * 10n ** BigInt(pricePlaces - places);
}

/** Places after the point. */
export function placesOf(value: number): number {
  return decimal(value).places;
}

function decimal(value: number): { digits: string; places: number } {
  const [number = "", exponent = "0"] = String(value).split("e");
  const [whole = "", part = ""] = number.split(".");
  return { digits: whole + part, places: Math.max(0, part.length - Number(exponent)) };
}
