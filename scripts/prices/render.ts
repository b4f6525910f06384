/** Facts of `@pydantic/genai-prices` in the form of our own lists: by our providers' names and by exact model ids. */
import { type ConditionalPrice, calcPrice, findProvider, type MatchLogic, type ModelInfo, type ModelPrice } from "@pydantic/genai-prices";
import type { ListedPrice } from "#adapters/prices/list.ts";

/** Our name for a provider → the package's. Without it glm-4.7 was priced as another vendor's. */
export const packageIds: Readonly<Record<string, string>> = {
  anthropic: "anthropic",
  zai: "zai",
  deepseek: "deepseek",
  kimi: "moonshotai",
  minimax: "minimax",
  gemini: "google",
  openrouter: "openrouter",
  openai: "openai",
};

const keys = {
  input: "input_mtok",
  output: "output_mtok",
  cacheRead: "cache_read_mtok",
  write5m: "cache_write_mtok",
  write1h: "cache_write_1h_mtok",
} as const;

/** One line a model, so that an update can be read as a difference. */
export function renderPrices(version: string, date: string): string {
  const providers = Object.entries(packageIds).map(([ours, providerId]) => {
    const lines = [...modelsOf(providerId)].map(([name, price]) => `      ${JSON.stringify(name)}: ${JSON.stringify(price)}`);
    return `    ${JSON.stringify(ours)}: {\n${lines.join(",\n")}\n    }`;
  });
  return `{\n  "version": ${JSON.stringify(version)},\n  "date": ${JSON.stringify(date)},\n  "models": {\n${providers.join(",\n")}\n  }\n}\n`;
}

function modelsOf(providerId: string): Map<string, ListedPrice | ListedPrice[]> {
  const provider = findProvider({ providerId });
  if (!provider)
    throw new Error(`@pydantic/genai-prices has no provider ${providerId} any more: mend packageIds in scripts/prices/render.ts`);
  const models = new Map<string, ListedPrice | ListedPrice[]>();
  for (const name of [...new Set(provider.models.flatMap(({ id, match }) => [id, ...namesIn(match)].map(plainName)))].toSorted()) {
    // The package takes the first model that matches, so it is asked which one that is.
    const model = calcPrice({ input_tokens: 1 }, name, { providerId })?.model;
    const price = model && priceOf(model);
    if (price && provider.models.includes(model)) models.set(name, price);
  }
  return models;
}

/** Every name that its rules spell out. What only a pattern knows is left out: a longer name is another model. */
function namesIn(match: MatchLogic): string[] {
  if ("or" in match) return match.or.flatMap(namesIn);
  if ("and" in match) return match.and.flatMap(namesIn);
  if ("regex" in match) return [];
  return Object.values(match);
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[-@]$/, "");
}

/** Null where it is not priced by tokens, or by kinds of them that no wire tells us. */
function priceOf({ id, prices }: ModelInfo): ListedPrice | ListedPrice[] | null {
  const all = (Array.isArray(prices) ? prices : [{ prices }]).map((one) => listed(id, one));
  if (all.some((one) => one === null)) return null;
  const known = all.filter((one) => one !== null);
  return known.length === 1 && known[0] ? known[0] : known;
}

function listed(id: string, { constraint, prices }: ConditionalPrice): ListedPrice | null {
  // An empty row means free only where the name says so.
  const free = id.endsWith(":free") && Object.keys(prices).length === 0;
  const given = free ? { input_mtok: 0, output_mtok: 0 } : prices;
  if (given.input_mtok === undefined || given.output_mtok === undefined) return null;
  if ("output_reasoning_mtok" in given || "requests_kcount" in given) return null;
  const steps = [
    ...new Set(Object.values(given).flatMap((price) => (typeof price === "object" ? price.tiers.map(({ start }) => start) : []))),
  ];
  const long = steps.toSorted((a, b) => a - b).map((over) => ({ over, ...ratesAt(given, over + 1) }));
  return {
    ...ratesAt(given, 0),
    ...(long.length > 0 && { long }),
    ...(constraint?.type === "start_date" && { from: constraint.start_date }),
    ...(constraint?.type === "time_of_date" && { daily: `${hour(constraint.start_time)}-${hour(constraint.end_time)}` }),
  };
}

function ratesAt(prices: ModelPrice, input: number): Pick<ListedPrice, keyof typeof keys> {
  const told = Object.entries(keys).flatMap(([ours, theirs]) => {
    const price = prices[theirs];
    if (price === undefined) return [];
    return [[ours, typeof price === "number" ? price : (price.tiers.findLast(({ start }) => input > start)?.price ?? price.base)]];
  });
  return Object.fromEntries(told);
}

function hour(text: string): string {
  const [, time] = /^(\d\d:\d\d):00Z$/.exec(text) ?? [];
  if (!time) throw new Error(`a time of day that is no whole minute of UTC: ${text}`);
  return time;
}
