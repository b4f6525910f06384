import { describe, expect, it } from "vitest";
import { providers } from "#adapters/llm/index.ts";
import { costOf, noUsage } from "#core/ledger.ts";
import { isNominal, priceOf } from "#core/prices.ts";

describe("priceOf", () => {
  it("gives nano-dollars per token", () => {
    expect(priceOf("anthropic", "claude-opus-5-5")).toEqual({
      uncachedIn: 4000,
      cacheRead: 200,
      write5m: 5000,
      write1h: 8000,
      output: 20_000,
    });
  });

  it("prices a million tokens at the listed dollars", () => {
    const price = priceOf("anthropic", "claude-sonnet-5-5");
    expect(costOf({ ...noUsage, uncachedIn: 1_000_000 }, price)).toBe(2_000_000_000);
    expect(costOf({ ...noUsage, cacheRead: 1_000_000 }, price)).toBe(100_000_000);
  });

  it("knows a model by a dated id and in any case", () => {
    expect(priceOf("anthropic", "claude-haiku-4-5-20251001")).toEqual(priceOf("anthropic", "claude-haiku-4-5"));
    expect(priceOf("minimax", "MiniMax-M2.7")).toEqual(priceOf("minimax", "minimax-m2.7"));
  });

  it("does not take one model for another with a longer name", () => {
    expect(priceOf("anthropic", "claude-sonnet-5")).not.toEqual(priceOf("anthropic", "claude-sonnet-5-5"));
    expect(priceOf("anthropic", "claude-sonnet-5-9")).toBeNull();
    expect(priceOf("anthropic", "claude-sonnet-5-preview")).toBeNull();
  });

  it("charges a long prompt's price from the threshold on", () => {
    expect(priceOf("anthropic", "claude-haiku-5-5", 100_000)?.uncachedIn).toBe(100);
    expect(priceOf("anthropic", "claude-haiku-5-5", 100_001)?.uncachedIn).toBe(500);
  });

  it("leaves what it does not know unpriced", () => {
    expect(priceOf("anthropic", "glm-5.3")).toBeNull();
    expect(priceOf("nobody", "glm-5.3")).toBeNull();
    expect(priceOf("constructor", "name")).toBeNull();
    expect(priceOf("anthropic", "__proto__")).toBeNull();
  });

  it("prices the default model of every provider in whole nano-dollars, and calls only the stand-in's nominal", () => {
    for (const [name, { model }] of Object.entries(providers)) {
      const price = priceOf(name, model);
      expect(price, `${name} ${model}`).not.toBeNull();
      expect(
        Object.values(price ?? {}).every((nanos) => Number.isInteger(nanos) && nanos > 0),
        name,
      ).toBe(true);
      expect(isNominal(name)).toBe(name === "scripted");
    }
  });
});
