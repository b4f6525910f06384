/** The lists of prices: which one counts, when, for whom; and that the package's facts came over as they are. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { calcPrice } from "@pydantic/genai-prices";
import { describe, expect, it } from "vitest";
import { providers } from "#adapters/llm/index.ts";
import genaiPrices from "#adapters/prices/genai-prices.json" with { type: "json" };
import { pricesOf } from "#adapters/prices/index.ts";
import { type ListedPrice, type PriceList, parsePriceList, priceListSchema, tariffIn } from "#adapters/prices/list.ts";
import { ownPrices } from "#adapters/prices/own.ts";
import { noUsage, type Usage } from "#core/ledger.ts";
import { reckoner } from "#core/prices.ts";
import { packageIds, renderPrices } from "../../scripts/prices/render.ts";

const root = join(import.meta.dirname, "../..");
const now = Date.parse("2026-11-26T12:00:00Z");
const priceOf = pricesOf();
const million = (kind: keyof Usage): Usage => ({ ...noUsage, [kind]: 1_000_000 });
const packaged: PriceList = { date: genaiPrices.date, models: genaiPrices.models as PriceList["models"] };
const rowsOf = (list: PriceList) =>
  Object.entries(list.models).flatMap(([provider, models]) =>
    Object.entries(models).map(([model, price]) => ({ provider, model, prices: Array.isArray(price) ? price : [price] })),
  );

describe("what the package says", () => {
  const installed = JSON.parse(readFileSync(join(root, "node_modules/@pydantic/genai-prices/package.json"), "utf8"));

  it("is written down as it is: run `npm run prices` after an update", () => {
    const kept = readFileSync(join(root, "shared/adapters/prices/genai-prices.json"), "utf8");
    expect(kept === renderPrices(installed.version, genaiPrices.date)).toBe(true);
    expect(genaiPrices.version).toBe(installed.version);
  });

  it("is a list like any other", () => expect(priceListSchema.safeParse(packaged).error).toBeUndefined());

  /** What the package reckons with: all of the input, and which of it the cache held or took. */
  const asTheirs = ({ uncachedIn, cacheRead, write5m, write1h, output }: Usage) => ({
    ...{ input_tokens: uncachedIn + cacheRead + write5m + write1h, cache_read_tokens: cacheRead },
    ...{ cache_write_tokens: write5m + write1h, cache_write_1h_tokens: write1h, output_tokens: output },
  });
  /** Each side of every limit that a row has: of its long prompts, its days and its hours. */
  const timesOf = (prices: readonly ListedPrice[]) => {
    const days = prices.flatMap(({ from }) => (from ? [Date.parse(from) - 1, Date.parse(from)] : []));
    const hours = prices.flatMap(({ daily }) => (daily ?? "").split("-").filter(Boolean));
    return [...days, now, ...hours.flatMap((time) => [0, -1].map((step) => Date.parse(`2026-11-26T${time}Z`) + step))];
  };
  const usagesOf = (prices: readonly ListedPrice[]): Usage[] =>
    [1, ...prices.flatMap(({ long = [] }) => long.flatMap(({ over }) => [over, over + 1])), 1_234_567].flatMap((input) => [
      { ...noUsage, uncachedIn: input, output: 4321 },
      { ...noUsage, cacheRead: input, output: 1 },
      { ...noUsage, write5m: input - 1, write1h: 1, output: 7 },
      { ...noUsage, write1h: input },
    ]);

  it.each(Object.entries(packageIds))("about %s costs the same here as there", (provider, providerId) => {
    const rows = rowsOf(packaged).filter((row) => row.provider === provider);
    expect(rows.length).toBeGreaterThan(2);
    for (const { model, prices } of rows) {
      for (const at of timesOf(prices)) {
        const tariff = tariffIn(packaged, provider, model, at);
        for (const usage of usagesOf(prices)) {
          const theirs = calcPrice(asTheirs(usage), model, { providerId, timestamp: new Date(at) });
          const ours = tariff && reckoner("", tariff).cost(usage);
          // Theirs is a sum of binary fractions.
          expect(Math.abs((ours ?? Number.NaN) - (theirs?.total_price ?? Number.NaN) * 1e9), `${model} at ${at}`).toBeLessThan(0.6);
        }
      }
    }
  });

  it("never answers for another vendor's model: glm-4.7 is Z.ai's own here", () => {
    expect(priceOf("zai", "glm-4.7", now)?.cost(million("uncachedIn"))).toBe(600_000_000);
    expect(priceOf("openrouter", "z-ai/glm-4.7", now)?.cost(million("uncachedIn"))).toBe(400_000_000);
    expect(priceOf("openai", "glm-4.7", now)).toBeNull();
  });
});

describe("our own list", () => {
  it("is a list like any other", () => expect(priceListSchema.safeParse(ownPrices).error).toBeUndefined());

  it.each(rowsOf(ownPrices))("$provider $model: the package lacks it, or has it otherwise", ({ provider, model, prices }) => {
    const times = [now, Date.parse("2026-11-28T02:00:00Z"), ...prices.flatMap(({ from }) => (from ? [Date.parse(from)] : []))];
    const differs = times.some((at) => {
      const [ours, theirs] = [ownPrices, packaged].map((list) => tariffIn(list, provider, model, at));
      const cost = (tariff: typeof ours) =>
        tariff && reckoner("", tariff).cost({ ...noUsage, uncachedIn: 1e6, cacheRead: 1e6, output: 1e6 });
      return cost(ours) !== cost(theirs);
    });
    expect(differs, "the package has caught up: take the row out of shared/adapters/prices/own.ts").toBe(true);
  });

  it("goes before the package, which says what is out of date", () => {
    expect(priceOf("zai", "GLM-5.3-Flash", Date.parse("2026-09-09T00:00:00Z"))?.cost(million("uncachedIn"))).toBe(75_000_000);
    expect(priceOf("zai", "GLM-5.3-Flash", now)).toMatchObject({ list: `uac ${ownPrices.date}` });
    expect(priceOf("zai", "GLM-5.3-Flash", now)?.cost(million("uncachedIn"))).toBe(150_000_000);
    expect(priceOf("zai", "glm-5.3", now)).toMatchObject({ list: `genai-prices ${genaiPrices.version} (${genaiPrices.date})` });
  });

  it.each([
    ["a working day's morning in Beijing", "2026-11-26T01:00:00Z", 1_320_000_000],
    ["its noon", "2026-11-26T04:00:00Z", 660_000_000],
    ["its afternoon", "2026-11-26T09:59:59Z", 1_320_000_000],
    ["its evening", "2026-11-26T10:00:00Z", 660_000_000],
    ["a Friday", "2026-11-27T02:00:00Z", 1_320_000_000],
    ["a Saturday", "2026-11-28T02:00:00Z", 660_000_000],
    ["a Sunday", "2026-11-29T02:00:00Z", 660_000_000],
    ["a Monday", "2026-11-30T02:00:00Z", 1_320_000_000],
    ["before there were hours", "2026-08-14T02:00:00Z", 435_000_000],
  ])("DeepSeek by the hour: %s", (_, at, nanos) => {
    expect(priceOf("deepseek", "deepseek-v4-pro", Date.parse(at))?.cost(million("uncachedIn"))).toBe(nanos);
  });
});

describe("the price of a model", () => {
  it("is known by a dated id and in any case", () => {
    const cost = (provider: string, model: string) => priceOf(provider, model, now)?.cost({ ...noUsage, uncachedIn: 1e6, output: 1e6 });
    expect(cost("anthropic", "claude-haiku-4-5-20251001")).toBe(6_000_000_000);
    expect(cost("anthropic", "claude-sonnet-5-5@20261001")).toBe(12_000_000_000);
    expect(cost("openai", "gpt-5.5-2026-04-23")).toBe(cost("openai", "gpt-5.5"));
    expect(cost("minimax", "MiniMax-M2.7")).toBe(cost("minimax", "minimax-m2.7"));
    expect(cost("kimi", "kimi-k3")).toBe(18_000_000_000);
    expect(cost("gemini", "gemini-3.8-flash")).toBe(4_500_000_000);
  });

  it("is not taken from a model with a shorter name, which the package would do", () => {
    expect(calcPrice({ input_tokens: 1 }, "claude-sonnet-5-9", { providerId: "anthropic" })?.model.id).toBe("claude-sonnet-5");
    expect(priceOf("anthropic", "claude-sonnet-5-9", now)).toBeNull();
    expect(priceOf("anthropic", "claude-sonnet-5-preview", now)).toBeNull();
    expect(priceOf("anthropic", "claude-sonnet-5-5", now)?.cost(million("cacheRead"))).toBe(100_000_000);
  });

  it.each([
    ["anthropic", "glm-5.3"],
    ["nobody", "glm-5.3"],
    ["constructor", "name"],
    ["anthropic", "__proto__"],
    ["ollama", "qwen3:8b"],
    // Its rows of prices are empty, which is no word about what it costs.
    ["openrouter", "google/lyria-3-pro-preview"],
    // It has a price of its own for reasoning.
    ["openrouter", "perplexity/sonar-deep-research"],
  ])("%s %s is unpriced, never free", (provider, model) => expect(priceOf(provider, model, now)).toBeNull());

  it("of the default model of every provider is more than nothing", () => {
    for (const [name, { model, baseUrl }] of Object.entries(providers)) {
      if (name === "ollama" || baseUrl?.includes("127.0.0.1")) continue;
      const price = priceOf(name, model, now);
      for (const kind of ["uncachedIn", "cacheRead", "write5m", "write1h", "output"] as const) {
        expect(price?.cost(million(kind)) ?? 0, `${name} ${model} ${kind}`).toBeGreaterThan(0);
      }
    }
  });
});

describe("an operator's list", () => {
  const read = (value: unknown) => parsePriceList(typeof value === "string" ? value : JSON.stringify(value), "PRICES", ["zai", "ollama"]);
  const listed = (price: unknown) => ({ date: "2026-11-20", models: { zai: { "GLM-5.3": price } } });

  it("goes before all others, names itself, and leaves to them what it does not say", () => {
    const own = pricesOf(read(listed({ input: 0.5, output: 1 })));
    expect(own("zai", "glm-5.3", now)?.list).toBe("operator 2026-11-20");
    expect(own("zai", "glm-5.3", now)?.cost(million("cacheRead")), "no price for reads is no gift").toBe(500_000_000);
    expect(own("zai", "glm-4.7", now)?.list).toBe(`uac ${ownPrices.date}`);
  });

  it("may price what nobody lists, say nothing's cost, and change by day and hour", () => {
    const prices = [
      { input: 1, output: 1 },
      { from: "2027-01-01", input: 2, output: 2 },
      { daily: "22:00-06:00", input: 0, output: 0 },
    ];
    const own = pricesOf(read({ date: "2026-11-20", models: { ollama: { "qwen3:8b": prices } } }));
    const cost = (at: string) => own("ollama", "qwen3:8b", Date.parse(at))?.cost(million("output"));
    expect([cost("2026-12-31T21:59:59Z"), cost("2027-01-01T12:00:00Z")]).toEqual([1_000_000_000, 2_000_000_000]);
    expect([cost("2026-12-31T22:00:00Z"), cost("2027-01-01T05:59:59Z"), cost("2027-01-01T06:00:00Z")]).toEqual([0, 0, 2_000_000_000]);
  });

  it.each<[string, unknown, RegExp]>([
    ["no JSON", "{", /PRICES is not JSON: .*Form: \{/],
    ["no date", { models: {} }, /date/],
    ["a date that is none", { date: "26.11.2026", models: {} }, /date/],
    [
      "a provider that is none",
      { date: "2026-11-20", models: { zia: {} } },
      /prices of zia, which is no provider here; there are zai, ollama/,
    ],
    ["a negative price", listed({ input: -1, output: 1 }), /input/],
    ["a price as text", listed({ input: "1", output: 1 }), /input/],
    ["a price in cents, or for a thousand tokens", listed({ input: 1500, output: 1 }), /input/],
    ["no output", listed({ input: 1 }), /output/],
    ["more places than a list has", listed({ input: 1e-19, output: 1 }), /18 places/],
    ["a misspelt key", listed({ input: 1, output: 1, cacheread: 1 }), /cacheread/],
    ["an hour that is none", listed({ input: 1, output: 1, daily: "24:00-25:00" }), /daily/],
  ])("with %s is refused, with the form that it should have", (_, value, why) => {
    expect(() => read(value)).toThrow(expect.objectContaining({ code: "bad_config", message: expect.stringMatching(why) }));
  });
});
