/** List prices: the operator's own list, then ours, then the package's. Nothing is fetched. */
import { type PriceOf, reckoner } from "#core/prices.ts";
import genaiPrices from "./genai-prices.json" with { type: "json" };
import { type PriceList, tariffIn } from "./list.ts";
import { ownPrices } from "./own.ts";

/** `npm run prices` writes it from the package's newest release that is installed. */
const { version, ...packaged } = genaiPrices;

/** Providers of which at least one list has prices. */
export const pricedProviders = [...new Set([genaiPrices, ownPrices].flatMap(({ models }) => Object.keys(models)))];

/** Prices by provider (our names for them), exact model id and time. What no list knows is unpriced. */
export function pricesOf(override: PriceList | null = null): PriceOf {
  const lists = [
    ...(override ? [{ name: `operator ${override.date}`, list: override }] : []),
    { name: `uac ${ownPrices.date}`, list: ownPrices },
    { name: `genai-prices ${version} (${packaged.date})`, list: packaged as PriceList },
  ];
  return (provider, model, at) => {
    for (const { name, list } of lists) {
      const tariff = tariffIn(list, provider, model, at);
      if (tariff) return reckoner(name, tariff);
    }
    return null;
  };
}
