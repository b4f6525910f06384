import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultLimits, type Limits, limitsSchema, narrower } from "#core/limits.ts";

const names = ["usd", "tokens", "steps", "wallS"] as const;
const accepts = (change: Record<string, unknown>) => limitsSchema.safeParse({ ...defaultLimits, ...change }).success;

describe("limitsSchema", () => {
  it("takes the defaults: three dollars, five million tokens, 150 steps, 45 minutes", () => {
    expect(limitsSchema.parse(defaultLimits)).toEqual({ usd: 3_000_000_000, tokens: 5_000_000, steps: 150, wallS: 2700 });
  });

  const none = [
    undefined,
    null,
    0,
    -0,
    -1,
    0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    2 ** 53,
    1e300,
    "3",
    "",
    true,
    [],
    {},
    3n,
  ];
  it.each(names.flatMap((name) => none.map((value) => ({ name, value }))))("refuses $name: $value (row 41)", ({ name, value }) => {
    expect(accepts({ [name]: value })).toBe(false);
  });

  it.each(names)("refuses limits without %s", (name) => {
    const { [name]: _, ...rest } = defaultLimits;
    expect(limitsSchema.safeParse(rest).success).toBe(false);
  });

  it("refuses what it does not know, and nothing at all", () => {
    expect(accepts({ unlimited: true })).toBe(false);
    for (const value of [null, undefined, {}, [], "none", 0]) expect(limitsSchema.safeParse(value).success).toBe(false);
  });

  it("takes the least and the most, and no more", () => {
    for (const name of names) expect(accepts({ [name]: 1 })).toBe(true);
    expect([accepts({ steps: 1000 }), accepts({ steps: 1001 })]).toEqual([true, false]);
    expect([accepts({ wallS: 86_400 }), accepts({ wallS: 86_401 })]).toEqual([true, false]);
    expect(accepts({ usd: Number.MAX_SAFE_INTEGER })).toBe(true);
  });
});

describe("narrower", () => {
  const limits: fc.Arbitrary<Limits> = fc.record({
    usd: fc.integer({ min: 1 }),
    tokens: fc.integer({ min: 1 }),
    steps: fc.integer({ min: 1, max: 1000 }),
    wallS: fc.integer({ min: 1, max: 86_400 }),
  });

  it("is never wider than either, whichever comes first, and stays valid", () =>
    fc.assert(
      fc.property(limits, limits, (a, b) => {
        const both = narrower(a, b);
        for (const name of names) expect(both[name]).toBe(Math.min(a[name], b[name]));
        expect(narrower(b, a)).toEqual(both);
        expect(limitsSchema.parse(both)).toEqual(both);
      }),
    ));
});
