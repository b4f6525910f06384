import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { partsOf, splitCost } from "#core/cost-parts.ts";
import { costOf, noUsage } from "#core/ledger.ts";
import { priceOf } from "#core/prices.ts";

const scripted = { provider: "scripted", requestedModel: "scripted-1" };
const usage = { uncachedIn: 100, cacheRead: 1000, write5m: 10, write1h: 1, output: 7, reasoning: 3 };

describe("the parts of a cost", () => {
  it("are those of the list that it was priced by", () => {
    expect(partsOf({ ...scripted, usage, cost: 249_500 })).toEqual({
      input: 100_000,
      cacheRead: 100_000,
      cacheWrite: 14_500,
      output: 35_000,
    });
    expect(partsOf({ ...scripted, usage: noUsage, cost: 0 })).toEqual({ input: 0, cacheRead: 0, cacheWrite: 0, output: 0 });
  });

  it("are those of a long prompt, where a model has a price for it", () => {
    const long = { ...noUsage, cacheRead: 600_000, output: 1 };
    const cost = costOf(long, priceOf("minimax", "minimax-m3", 600_000));
    expect(partsOf({ provider: "minimax", requestedModel: "minimax-m3", usage: long, cost })).toMatchObject({
      cacheRead: 72_000_000,
      output: 2400,
    });
  });

  it("are unknown where the cost is, or where another list gave it", () => {
    expect(partsOf({ ...scripted, usage, cost: null })).toBeNull();
    expect(partsOf({ ...scripted, usage, cost: 249_501 })).toBeNull();
    expect(partsOf({ provider: "nobody", requestedModel: "m", usage, cost: 5 })).toBeNull();
  });

  it("come to the cost to the nano-dollar, whole, and each within one of its own price", () => {
    const tokens = fc.integer({ min: 0, max: 1_000_000 });
    const perToken = fc.integer({ min: 0, max: 100_000 }).map((tenths) => tenths / 10);
    const price = fc.record({ uncachedIn: perToken, cacheRead: perToken, write5m: perToken, write1h: perToken, output: perToken });
    const used = fc.record({ uncachedIn: tokens, cacheRead: tokens, write5m: tokens, write1h: tokens, output: tokens, reasoning: tokens });
    fc.assert(
      fc.property(used, price, (usage, price) => {
        const exact = costOf(usage, price) ?? 0;
        const cost = Math.round(exact);
        const parts = splitCost({ usage, cost }, price);
        if (!parts) throw new Error("not split");
        expect(parts.input + parts.cacheRead + parts.cacheWrite + parts.output).toBe(cost);
        for (const part of Object.values(parts)) expect(Number.isSafeInteger(part) && part >= 0).toBe(true);
        expect(Math.abs(parts.input - usage.uncachedIn * price.uncachedIn)).toBeLessThanOrEqual(1);
        expect(Math.abs(parts.output - usage.output * price.output)).toBeLessThanOrEqual(1);
      }),
    );
  });
});
