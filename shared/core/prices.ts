/**
 * List prices of November 2026, our own small table. Facts from `@pydantic/genai-prices` 0.1.8 and, where newer, from
 * copies of the providers' price pages (DeepSeek; Claude Sonnet 5.5, Haiku 5.5 and Fable 5.2 as others quote that page).
 * A model that is not here is unpriced, never free.
 */
import type { Price } from "./ledger.ts";

/** Dollars per million tokens: input, cache read, 5-minute write, 1-hour write, output. */
type Row = readonly [input: number, read: number, write5m: number, write1h: number, output: number];

interface Listed {
  price: Row;
  /** The whole call costs this much when its input, cached or not, is longer than `over` tokens. */
  long?: { over: number; price: Row };
}

/** A price list without a write price bills writes as input. */
const noWrites = (input: number, read: number, output: number): Row => [input, read, input, input, output];

const table: Readonly<Record<string, Readonly<Record<string, Listed>>>> = {
  anthropic: {
    "claude-fable-5-2": { price: [8, 0.2, 10, 16, 40] },
    "claude-fable-5-1": { price: [10, 0.25, 12.5, 20, 50] },
    "claude-fable-5": { price: [10, 1, 12.5, 20, 50] },
    "claude-opus-5-5": { price: [4, 0.2, 5, 8, 20] },
    "claude-opus-5": { price: [5, 0.5, 6.25, 10, 25] },
    "claude-opus-4-8": { price: [5, 0.5, 6.25, 10, 25] },
    "claude-opus-4-7": { price: [5, 0.5, 6.25, 10, 25] },
    "claude-opus-4-6": { price: [5, 0.5, 6.25, 10, 25] },
    "claude-opus-4-5": { price: [5, 0.5, 6.25, 10, 25] },
    "claude-sonnet-5-5": { price: [2, 0.1, 2.5, 4, 10] },
    "claude-sonnet-5": { price: [2, 0.2, 2.5, 4, 10] },
    "claude-sonnet-4-6": { price: [3, 0.3, 3.75, 6, 15] },
    "claude-sonnet-4-5": { price: [3, 0.3, 3.75, 6, 15], long: { over: 200_000, price: [6, 0.6, 7.5, 12, 22.5] } },
    "claude-haiku-5-5": { price: [0.1, 0.01, 0.125, 0.2, 0.5], long: { over: 100_000, price: [0.5, 0.05, 0.625, 1, 2.5] } },
    "claude-haiku-4-5": { price: [1, 0.1, 1.25, 2, 5] },
  },
  zai: {
    "glm-5.3": { price: noWrites(1.4, 0.26, 4.4) },
    "glm-5.3-flash": { price: noWrites(0.075, 0.015, 0.25) },
    "glm-5.2": { price: noWrites(1.4, 0.26, 4.4) },
  },
  /** Peak prices: half of them off-peak. A budget must hold at any hour. */
  deepseek: {
    "deepseek-v4-pro": { price: noWrites(1.32, 0.044, 3.96) },
    "deepseek-flash": { price: noWrites(0.3, 0.006, 1.2) },
  },
  kimi: {
    "kimi-k3": { price: noWrites(3, 0.3, 15) },
    "kimi-k2.7-code": { price: noWrites(0.95, 0.19, 4) },
  },
  minimax: {
    "minimax-m3": { price: noWrites(0.3, 0.06, 1.2), long: { over: 512_000, price: noWrites(0.6, 0.12, 2.4) } },
    "minimax-m2.7": { price: [0.3, 0.06, 0.375, 0.375, 1.2] },
  },
  /** Nominal: nobody bills the stand-in. Prices of the usual size, so that budgets and receipts have something to show. */
  scripted: { "scripted-1": { price: [1, 0.1, 1.25, 2, 5] } },
};

/** True where the price is made up and nobody bills it. */
export function isNominal(provider: string): boolean {
  return provider === "scripted";
}

/**
 * The list price of a call with `inputTokens` of input, cached ones included; null is unpriced. Knows a model by its
 * exact id, in any case, or with a date after it (`claude-haiku-4-5-20251001`).
 */
export function priceOf(provider: string, model: string, inputTokens = 0): Price | null {
  const models = Object.hasOwn(table, provider) ? table[provider] : undefined;
  const id = model.toLowerCase();
  const known = models && [id, id.replace(/[-@]\d{8}$/, "")].find((name) => Object.hasOwn(models, name));
  const listed = known === undefined ? undefined : models?.[known];
  if (!listed) return null;
  const { price, long } = listed;
  return toNanos(long && inputTokens > long.over ? long.price : price);
}

/** $1 per million tokens is 1,000 nano-dollars a token; rounded, since 0.005 × 1000 is not whole in binary. */
function toNanos([uncachedIn, cacheRead, write5m, write1h, output]: Row): Price {
  const nanos = (usd: number) => Math.round(usd * 1000);
  return {
    uncachedIn: nanos(uncachedIn),
    cacheRead: nanos(cacheRead),
    write5m: nanos(write5m),
    write1h: nanos(write1h),
    output: nanos(output),
  };
}
