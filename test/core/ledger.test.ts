import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addUsage,
  ledgerEntrySchema,
  nanosPerUsd,
  noTotal,
  noUsage,
  parseUsd,
  showCost,
  showNanos,
  sum,
  tokensOf,
  type Usage,
} from "#core/ledger.ts";
import { ledgerEntry } from "../support/ledger.ts";

const count = fc.integer({ min: 0, max: 10_000_000 });
const usage: fc.Arbitrary<Usage> = fc.record({
  uncachedIn: count,
  cacheRead: count,
  write5m: count,
  write1h: count,
  output: count,
  reasoning: count,
});
const entry = fc.record({ usage, cost: fc.option(fc.integer({ min: 0, max: 1000 * nanosPerUsd })) });
const entries = fc.array(entry, { maxLength: 40 });

describe("sum", () => {
  it("of nothing is nothing", () => expect(sum([])).toEqual(noTotal));

  it("adds what is priced, counts what is not, and never takes unpriced for free", () => {
    const one = { ...noUsage, output: 5 };
    expect(
      sum([
        { usage: one, cost: 7 },
        { usage: one, cost: null },
        { usage: one, cost: 0 },
      ]),
    ).toEqual({ cost: 7, calls: 3, unpriced: 1, usage: { ...noUsage, output: 15 } });
  });

  it("does not care about order", () =>
    fc.assert(
      fc.property(entries, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (list, dice) => {
        const shuffled = list.map((one) => ({ one, at: dice.next().value })).toSorted((a, b) => a.at - b.at);
        expect(sum(shuffled.map(({ one }) => one))).toEqual(sum(list));
      }),
    ));

  it("does not care about grouping", () =>
    fc.assert(
      fc.property(entries, fc.nat(40), (list, cut) => {
        const [a, b, all] = [sum(list.slice(0, cut)), sum(list.slice(cut)), sum(list)];
        expect({
          cost: a.cost + b.cost,
          calls: a.calls + b.calls,
          unpriced: a.unpriced + b.unpriced,
          usage: addUsage(a.usage, b.usage),
        }).toEqual(all);
      }),
    ));

  it("stays whole and exact", () =>
    fc.assert(
      fc.property(entries, (list) => {
        const { usage: used, ...total } = sum(list);
        for (const value of [...Object.values(used), ...Object.values(total)]) expect(Number.isSafeInteger(value)).toBe(true);
        expect(BigInt(total.cost)).toBe(list.reduce((all, { cost }) => all + BigInt(cost ?? 0), 0n));
      }),
    ));
});

describe("tokensOf", () => {
  it("counts every token once: reasoning is output", () => {
    expect(tokensOf({ uncachedIn: 1, cacheRead: 2, write5m: 4, write1h: 8, output: 16, reasoning: 16 })).toBe(31);
  });
});

describe("showNanos", () => {
  it.each([
    [0, "$0.00"],
    [1, "<$0.0001"],
    [99_999, "<$0.0001"],
    [100_000, "$0.0001"],
    [12_300_000, "$0.0123"],
    [999_900_000, "$0.9999"],
    [999_949_999, "$0.9999"],
    [999_950_000, "$1.00"],
    [999_999_999, "$1.00"],
    [nanosPerUsd, "$1.00"],
    [4_210_000_000, "$4.21"],
    [1_234_567_890_000, "$1234.57"],
  ])("%i is %s", (value, text) => expect(showNanos(value)).toBe(text));

  it("shows no spend as nothing, and nothing as no spend", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (value) => {
        expect(showNanos(value)).not.toMatch(/\$0\.0*$/);
        expect(showNanos(0)).toBe("$0.00");
      }),
    ));

  it("is not off by more than it leaves out", () =>
    fc.assert(
      fc.property(fc.integer({ min: 100_000, max: 1000 * nanosPerUsd }), (value) => {
        const shown = Number(showNanos(value).slice(1)) * nanosPerUsd;
        expect(Math.abs(shown - value)).toBeLessThanOrEqual((value >= 0.99995 * nanosPerUsd ? 0.00501 : 0.0000501) * nanosPerUsd);
      }),
    ));
});

describe("showCost", () => {
  it.each([
    [{ cost: 0, calls: 0, unpriced: 0 }, "$0.00"],
    [{ cost: 4_210_000_000, calls: 3, unpriced: 0 }, "$4.21"],
    [{ cost: 0, calls: 2, unpriced: 2 }, "unpriced"],
    [{ cost: 500_000_000, calls: 3, unpriced: 2 }, "≥ $0.5000 (2 calls unpriced)"],
    [{ cost: 2_000_000_000, calls: 3, unpriced: 1 }, "≥ $2.00 (1 call unpriced)"],
  ])("%j is %s", (total, text) => expect(showCost(total)).toBe(text));

  it("never shows a sum with unpriced calls as if it were whole", () =>
    fc.assert(
      fc.property(entries, (list) => {
        const total = sum(list);
        expect(/unpriced/.test(showCost(total))).toBe(total.unpriced > 0);
      }),
    ));
});

describe("parseUsd", () => {
  it.each([
    ["0", 0],
    ["3", 3 * nanosPerUsd],
    ["2.50", 2_500_000_000],
    ["0.000000001", 1],
    ["007", 7 * nanosPerUsd],
    ["9007199.254740991", Number.MAX_SAFE_INTEGER],
  ])("%j is %i", (text, value) => expect(parseUsd(text)).toBe(value));

  it.each([
    "",
    " ",
    "-1",
    "+1",
    "1.",
    ".5",
    "1e3",
    "0x10",
    "NaN",
    "Infinity",
    "1,000",
    "$3",
    "3 ",
    "3\n",
    "٣",
    "1.0000000001",
    "1_000",
    "9007199.254740992",
    "999999999",
  ])("%j is null (row 41)", (text) => expect(parseUsd(text)).toBeNull());

  it("reads back every sum that can be kept", () =>
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (value) => {
        const text = `${Math.floor(value / nanosPerUsd)}.${String(value % nanosPerUsd).padStart(9, "0")}`;
        expect(parseUsd(text)).toBe(value);
      }),
    ));

  it("is null or exact, whatever it is given", () =>
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{0,11}\.?\d{0,11}$/), fc.double().map(String)), (text) => {
        const value = parseUsd(text);
        expect(value === null || (Number.isSafeInteger(value) && value >= 0)).toBe(true);
      }),
    ));
});

describe("ledgerEntrySchema", () => {
  const good = ledgerEntry({ cost: null, billed: null, prices: null });

  it("takes an entry, priced or not", () => {
    expect(ledgerEntrySchema.parse(good)).toEqual(good);
    expect(ledgerEntrySchema.parse({ ...good, cost: 5 }).cost).toBe(5);
    expect(ledgerEntrySchema.parse({ ...good, cost: 1000 * nanosPerUsd }).cost).toBe(1000 * nanosPerUsd);
  });

  it.each([
    ["a negative cost", { cost: -1 }],
    ["a cost in halves", { cost: 0.5 }],
    ["a cost that is no number", { cost: Number.NaN }],
    ["a cost beyond exactness", { cost: 2 ** 53 }],
    ["a cost that no call has", { cost: 1000 * nanosPerUsd + 1 }],
    ["no word about the cost", { cost: undefined }],
    ["tokens that no call uses", { usage: { ...noUsage, cacheRead: 100_000_001 } }],
    ["negative tokens", { usage: { ...noUsage, output: -1 } }],
    ["tokens of an unknown kind", { usage: { ...noUsage, free: 1 } }],
    ["an invented source", { source: "guessed" }],
    ["an id that could be anyone's", { id: "1" }],
    ["an unknown key", { paid: true }],
  ])("refuses %s", (_, change) => expect(ledgerEntrySchema.safeParse({ ...good, ...change }).success).toBe(false));
});
