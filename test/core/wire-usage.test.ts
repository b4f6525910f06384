import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { noUsage, tokensOf } from "#core/ledger.ts";
import { mergeUsage, toldUsage, wires } from "#core/wire-usage.ts";

const usageOf = (...args: Parameters<typeof toldUsage>) => toldUsage(...args)?.usage;

describe("what a provider says that a call used", () => {
  it("anthropic: the input leaves out the cache; writes for an hour stand apart", () => {
    const told = {
      ...{ input_tokens: 10, cache_read_input_tokens: 200, cache_creation_input_tokens: 3000, output_tokens: 40 },
      cache_creation: { ephemeral_5m_input_tokens: 1000, ephemeral_1h_input_tokens: 2000 },
      output_tokens_details: { thinking_tokens: 30 },
    };
    expect(usageOf("anthropic", told)).toEqual({
      ...{ uncachedIn: 10, cacheRead: 200, write5m: 1000, write1h: 2000, output: 40, reasoning: 30 },
    });
  });

  it("chat: what the cache held is inside of the prompt and not counted again, wherever it is told", () => {
    const whole = { prompt_tokens: 1000, completion_tokens: 50, completion_tokens_details: { reasoning_tokens: 20 } };
    const expected = { ...noUsage, uncachedIn: 200, cacheRead: 800, output: 50, reasoning: 20 };
    expect(usageOf("chat", { ...whole, prompt_tokens_details: { cached_tokens: 800 } })).toEqual(expected);
    expect(usageOf("chat", { ...whole, prompt_cache_hit_tokens: 800, prompt_cache_miss_tokens: 200 })).toEqual(expected);
    expect(usageOf("chat", { ...whole, cached_tokens: 800 })).toEqual(expected);
  });

  it("responses: the same under other names", () => {
    const told = { input_tokens: 1000, input_tokens_details: { cached_tokens: 800 }, output_tokens: 5 };
    expect(usageOf("responses", told)).toEqual({ ...noUsage, uncachedIn: 200, cacheRead: 800, output: 5 });
  });

  it("nothing but zeros, nulls or rubbish is untold; one side alone is partial", () => {
    for (const wire of wires) {
      expect(toldUsage(wire, null)).toBeNull();
      expect(toldUsage(wire, { input_tokens: 0, prompt_tokens: "9", output_tokens: Number.NaN })).toBeNull();
    }
    expect(toldUsage("anthropic", { input_tokens: 3 })).toMatchObject({ source: "partial" });
    expect(toldUsage("chat", { completion_tokens: 3 })).toMatchObject({ source: "partial" });
  });

  it("the newest figure wins, nothing never does", () => {
    expect(mergeUsage({ input_tokens: 0, output_tokens: 1 }, { input_tokens: 25, output_tokens: null })).toEqual({
      ...{ input_tokens: 25, output_tokens: 1 },
    });
    expect(mergeUsage({ input_tokens: 25, output_tokens: 9 }, { input_tokens: 0, output_tokens: 8 })).toEqual({
      ...{ input_tokens: 25, output_tokens: 8 },
    });
  });

  it("takes back no detail either", () => {
    const begun = { cache_creation_input_tokens: 500, cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 500 } };
    const untold = { cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 }, output_tokens: 9 };
    expect(usageOf("anthropic", mergeUsage(begun, untold))).toEqual({ ...noUsage, write1h: 500, output: 9 });
    const held = { prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 80 } };
    expect(usageOf("chat", mergeUsage(held, { prompt_tokens_details: { cached_tokens: null } }))).toMatchObject({ cacheRead: 80 });
  });

  it("chat: what is in the total alone was thought, and is output", () => {
    const told = { prompt_tokens: 20, completion_tokens: 198, total_tokens: 623 };
    expect(usageOf("chat", told)).toEqual({ ...noUsage, uncachedIn: 20, output: 603, reasoning: 405 });
    expect(usageOf("chat", { ...told, completion_tokens_details: { reasoning_tokens: 405 } })).toMatchObject({
      output: 603,
      reasoning: 405,
    });
    expect(usageOf("chat", { ...told, total_tokens: 218 })).toMatchObject({ output: 198, reasoning: 0 });
    // A total is no answer's length where the input is not told.
    expect(usageOf("chat", { completion_tokens: 3, total_tokens: 100 })).toEqual({ ...noUsage, output: 3 });
  });

  it("counts every token of an inclusive wire exactly once, whatever the provider claims", () => {
    const tokens = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(
      fc.property(tokens, tokens, tokens, tokens, tokens, (input, read, written, output, reasoning) => {
        const usage = usageOf("responses", {
          ...{ input_tokens: input, input_tokens_details: { cached_tokens: read, cache_write_tokens: written } },
          ...{ output_tokens: output, output_tokens_details: { reasoning_tokens: reasoning } },
        });
        expect(tokensOf(usage ?? noUsage)).toBe(input + output);
        expect(usage?.reasoning ?? 0).toBeLessThanOrEqual(output);
      }),
    );
  });
});
