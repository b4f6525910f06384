import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addUsage, nanosPerUsd, noUsage, type Usage } from "#core/ledger.ts";
import { partsOf, placesOf, pricePlaces, type Rates, reckoner, type Tariff } from "#core/prices.ts";

const count = fc.integer({ min: 0, max: 10_000_000 });
const usage: fc.Arbitrary<Usage> = fc
  .record({
    uncachedIn: count,
    cacheRead: count,
    write5m: count,
    write1h: count,
    output: count,
    part: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ part, ...all }) => ({ ...all, reasoning: Math.floor(all.output * part) }));

/** A decimal price as a list writes it, and the fraction that it is: `digits / 10^places`. */
interface Written {
  digits: number;
  places: number;
}
const written: fc.Arbitrary<Written> = fc.record({ digits: fc.integer({ min: 0, max: 99_999 }), places: fc.integer({ min: 0, max: 9 }) });
const asNumber = ({ digits, places }: Written) => Number(`${digits}e-${places}`);
const all = fc.record({ input: written, output: written, cacheRead: written, write5m: written, write1h: written });
const ratesOf = (one: Record<keyof Rates, Written>): Rates => ({
  input: asNumber(one.input),
  output: asNumber(one.output),
  cacheRead: asNumber(one.cacheRead),
  write5m: asNumber(one.write5m),
  write1h: asNumber(one.write1h),
});
/** Nano-dollars in units of 10^-18, the slow and plain way. */
const exactly = (tokens: number, { digits, places }: Written) => BigInt(tokens) * BigInt(digits) * 1000n * 10n ** BigInt(18 - places);
const costOf = (used: Usage, tariff: Tariff) => reckoner("list", tariff).cost(used);

describe("a call's cost", () => {
  it("is each kind of token at its own price, and reasoning not twice", () => {
    const used: Usage = { uncachedIn: 1, cacheRead: 10, write5m: 100, write1h: 1000, output: 10_000, reasoning: 9999 };
    const cost = costOf(used, { input: 0.002, cacheRead: 0.003, write5m: 0.005, write1h: 0.007, output: 0.011 });
    expect(cost).toBe(2 + 30 + 500 + 7000 + 110_000);
  });

  it("three dollars a million tokens are three dollars", () => {
    expect(costOf({ ...noUsage, uncachedIn: 1_000_000 }, { input: 3, output: 0 })).toBe(3 * nanosPerUsd);
  });

  it.each([
    // DeepSeek's cache reads: 3.625 nano-dollars a token.
    [0.003625, 1, 4],
    [0.003625, 2, 7],
    [0.003625, 4, 15],
    [0.003625, 1_000_000, 3_625_000],
    // 37.5 nano-dollars: half up, once.
    [0.0375, 1, 38],
    [0.0375, 3, 113],
    // What binary fractions would lose: 0.1 + 0.2, 1.005 × 100.
    [0.1, 3, 300],
    [1.005, 1, 1005],
    [5e-7, 1000, 1],
    [5e-7, 999, 0],
  ])("$%d a million: %i tokens are %i nano-dollars", (price, tokens, nanos) => {
    expect(costOf({ ...noUsage, output: tokens }, { input: 0, output: price })).toBe(nanos);
  });

  it("is the exact sum, rounded once, half up", () =>
    fc.assert(
      fc.property(usage, all, (used, one) => {
        const sum =
          exactly(used.uncachedIn, one.input) +
          exactly(used.cacheRead, one.cacheRead) +
          exactly(used.write5m, one.write5m) +
          exactly(used.write1h, one.write1h) +
          exactly(used.output, one.output);
        const unit = 10n ** 18n;
        const [whole, rest] = [sum / unit, sum % unit];
        const nanos = costOf(used, ratesOf(one));
        expect(BigInt(nanos)).toBe(rest * 2n >= unit ? whole + 1n : whole);
        expect(Number.isSafeInteger(nanos)).toBe(true);
      }),
    ));

  it("of two calls together is off by a nano-dollar at most, and never less for more tokens", () =>
    fc.assert(
      fc.property(usage, usage, all, (a, b, one) => {
        const [first, second, both] = [a, b, addUsage(a, b)].map((used) => costOf(used, ratesOf(one))) as [number, number, number];
        expect(Math.abs(both - first - second)).toBeLessThanOrEqual(1);
        expect(both).toBeGreaterThanOrEqual(Math.max(first, second));
      }),
    ));

  it("what a list does not say about the cache is not free: reads and writes are input, writes for an hour as for 5 minutes", () =>
    fc.assert(
      fc.property(usage, written, written, written, (used, input, output, write5m) => {
        const rates = { input: asNumber(input), output: asNumber(output) };
        const plain = { ...noUsage, uncachedIn: used.uncachedIn + used.cacheRead + used.write5m + used.write1h, output: used.output };
        expect(costOf(used, rates)).toBe(costOf(plain, rates));
        const withWrites = { ...rates, write5m: asNumber(write5m) };
        expect(costOf(used, withWrites)).toBe(costOf({ ...used, write5m: used.write5m + used.write1h, write1h: 0 }, withWrites));
      }),
    ));

  const tiered: Tariff = {
    input: 1,
    output: 5,
    long: [
      { over: 500, input: 4, output: 8 },
      { over: 100, input: 2, output: 6 },
    ],
  };
  it.each([
    [100, 100 * 1000 + 5000],
    [101, 101 * 2000 + 6000],
    [500, 500 * 2000 + 6000],
    [501, 501 * 4000 + 8000],
  ])("is all of it at the price for long prompts once the input is longer: %i tokens", (input, nanos) => {
    expect(costOf({ ...noUsage, uncachedIn: input, output: 1 }, tiered)).toBe(nanos);
    expect(costOf({ ...noUsage, cacheRead: input - 3, write5m: 1, write1h: 1, uncachedIn: 1, output: 1 }, tiered), "cached or not").toBe(
      nanos,
    );
  });
});

describe("the most that a call may cost", () => {
  it("is never less than what it costs, however its input is cached", () =>
    fc.assert(
      fc.property(usage, all, all, count, (used, short, long, over) => {
        const price = reckoner("list", { ...ratesOf(short), long: [{ over: over + 1, ...ratesOf(long) }] });
        const input = used.uncachedIn + used.cacheRead + used.write5m + used.write1h;
        expect(price.most(input, used.output)).toBeGreaterThanOrEqual(price.cost(used));
      }),
    ));

  it("is that cost where all of it is the dearest kind", () => {
    const price = reckoner("list", { input: 1, output: 5, cacheRead: 0.1, write5m: 1.25, write1h: 2 });
    expect(price.most(10, 3)).toBe(price.cost({ ...noUsage, write1h: 10, output: 3 }));
  });
});

it("a price is the decimal number that is written", () => {
  expect([3, 0.003625, 5e-7, 1.5e-7, 1e-18, 0.08333333333333334, 1e3].map(placesOf)).toEqual([0, 6, 7, 8, 18, 17, 0]);
  expect(placesOf(1e-19)).toBeGreaterThan(pricePlaces);
});

describe("the parts of a cost", () => {
  const usage = { uncachedIn: 3, cacheRead: 3, write5m: 3, write1h: 0, output: 1, reasoning: 1 };
  // A third of a nano-dollar and more is lost of each but the output.
  const price = reckoner("test", { input: 0.0005, cacheRead: 0.0005, write5m: 0.0005, output: 1 });
  const entry = { provider: "p", requestedModel: "m", at: 1, usage, cost: price.cost(usage) };

  it("are whole, and come to the cost", () => {
    expect(price.cost(usage)).toBe(1005);
    expect(price.parts(usage)).toEqual({ input: 2, cacheRead: 2, cacheWrite: 1, output: 1000 });
    const rate = fc.integer({ min: 0, max: 1_000_000 }).map((n) => n / 10_000);
    const tokens = fc.integer({ min: 0, max: 1_000_000 });
    const used = fc.record({ uncachedIn: tokens, cacheRead: tokens, write5m: tokens, write1h: tokens, output: tokens, reasoning: tokens });
    fc.assert(
      fc.property(used, fc.record({ input: rate, cacheRead: rate, write5m: rate, write1h: rate, output: rate }), (usage, tariff) => {
        const price = reckoner("test", tariff);
        const parts = price.parts(usage);
        expect(parts.input + parts.cacheRead + parts.cacheWrite + parts.output).toBe(price.cost(usage));
        expect(Math.abs(parts.output - usage.output * tariff.output * 1000)).toBeLessThanOrEqual(1.001);
      }),
    );
  });

  it("are unknown where the cost is, and where another list gave it", () => {
    expect(partsOf(entry, () => price)).toEqual(price.parts(usage));
    expect(partsOf({ ...entry, cost: null }, () => price)).toBeNull();
    expect(partsOf({ ...entry, cost: 1004 }, () => price)).toBeNull();
    expect(partsOf(entry, () => null)).toBeNull();
  });
});
