/**
 * Our own price list: what `@pydantic/genai-prices` lacks, or has from before a change. It goes before the package's; a test names the
 * rows that the package has caught up with. A price of 0 for cache writes in a source says that it names none: then writes are input.
 */
import type { ListedPrice, PriceList } from "./list.ts";

const peakHours = ["01:00-04:00", "06:00-10:00"];

/** Half of it at any other time (api-docs.deepseek.com/quick_start/pricing). */
function peak(from: string, at: { input: number; output: number; cacheRead: number }): ListedPrice[] {
  const half = { input: at.input / 2, output: at.output / 2, cacheRead: at.cacheRead / 2 };
  return [{ from, ...half }, ...peakHours.map((daily): ListedPrice => ({ from, daily, weekdays: true, ...at }))];
}

const v41Flash = peak("2026-09-10", { input: 0.3, output: 1.2, cacheRead: 0.006 });

export const ownPrices: PriceList = {
  date: "2026-11-26",
  models: {
    /** As others quote Anthropic's page of October and November 2026. */
    anthropic: {
      "claude-fable-5-2": { input: 8, output: 40, cacheRead: 0.2, write5m: 10, write1h: 16 },
      "claude-sonnet-5-5": { input: 2, output: 10, cacheRead: 0.1, write5m: 2.5, write1h: 4 },
      "claude-haiku-5-5": {
        ...{ input: 0.1, output: 0.5, cacheRead: 0.01, write5m: 0.125, write1h: 0.2 },
        long: [{ over: 100_000, input: 0.5, output: 2.5, cacheRead: 0.05, write5m: 0.625, write1h: 1 }],
      },
    },
    /** models.dev of 2026-07-02, `providers/zai`. The older ones are sold by others too, at other prices. */
    zai: {
      "glm-4.5": { input: 0.6, output: 2.2, cacheRead: 0.11 },
      "glm-4.5-air": { input: 0.2, output: 1.1, cacheRead: 0.03 },
      "glm-4.6": { input: 0.6, output: 2.2, cacheRead: 0.11 },
      "glm-4.7": { input: 0.6, output: 2.2, cacheRead: 0.11 },
      "glm-4.7-flashx": { input: 0.07, output: 0.4, cacheRead: 0.01 },
      "glm-5": { input: 1, output: 3.2, cacheRead: 0.2 },
      "glm-5-turbo": { input: 1.2, output: 4, cacheRead: 0.24 },
      "glm-5.1": { input: 1.4, output: 4.4, cacheRead: 0.26 },
      // The package has the price of its launch, half of the list's until 9 September 2026 (its own comment, docs.z.ai).
      "glm-5.3-flash": [
        { input: 0.075, output: 0.25, cacheRead: 0.015 },
        { from: "2026-09-10", input: 0.15, output: 0.5, cacheRead: 0.03 },
      ],
    },
    /** Peak hours are those of working days alone, which the package can't say; Flash is V4.1 since 10 September 2026. */
    deepseek: {
      "deepseek-v4-pro": [
        { input: 0.435, output: 0.87, cacheRead: 0.003625 },
        ...peak("2026-08-17", { input: 1.32, output: 3.96, cacheRead: 0.044 }),
      ],
      "deepseek-v4-flash": [
        { input: 0.14, output: 0.28, cacheRead: 0.0028 },
        ...peak("2026-08-17", { input: 0.44, output: 1.32, cacheRead: 0.014 }),
        ...v41Flash,
      ],
      "deepseek-flash": v41Flash,
    },
    /** Nominal: nobody bills the stand-in. Prices of the usual size, so that budgets and receipts have something to show. */
    scripted: { "scripted-1": { input: 1, output: 5, cacheRead: 0.1, write5m: 1.25, write1h: 2 } },
  },
};
