/** A price list: model by model, what it costs and since when. One form for the package's, for ours and for the operator's. */
import * as z from "zod";
import { UacError } from "#core/errors.ts";
import { placesOf, pricePlaces, type Tariff } from "#core/prices.ts";

/** Nobody asks for more; a bound, so that a call's cost is a number that a ledger takes. */
const dearest = 1000;
const usd = z
  .number()
  .min(0)
  .max(dearest)
  .refine((value) => placesOf(value) <= pricePlaces, `has more than ${pricePlaces} places after the point`);
const rates = {
  input: usd,
  output: usd,
  cacheRead: usd.optional(),
  write5m: usd.optional(),
  write1h: usd.optional(),
};
const time = "(?:[01]\\d|2[0-3]):[0-5]\\d";

/** Dollars per million tokens. */
const priceSchema = z.strictObject({
  ...rates,
  /** For the whole call, where its input is longer than `over` tokens. */
  long: z
    .array(z.strictObject({ over: z.int().positive(), ...rates }))
    .max(4)
    .optional(),
  /** From that day on, midnight UTC. */
  from: z.iso.date().optional(),
  /** Only between two times of the day, UTC; the end is not in it. */
  daily: z
    .string()
    .regex(new RegExp(`^${time}-${time}$`))
    .optional(),
  /** Only from Monday to Friday, UTC. */
  weekdays: z.literal(true).optional(),
});

export const priceListSchema = z.strictObject({
  date: z.iso.date(),
  /** Provider → model → its price, or several, of which the last that applies counts. */
  models: z.record(z.string(), z.record(z.string().min(1).max(128), z.union([priceSchema, z.array(priceSchema).min(1).max(12)]))),
});
export type PriceList = z.infer<typeof priceListSchema>;
export type ListedPrice = z.infer<typeof priceSchema>;

/**
 * An operator's list, as JSON. `where` is what it is called in an error; `providers` those that it may have prices of, null for any. Throws `bad_config`: what is wrong, and the form it should have.
 */
export function parsePriceList(json: string, where: string, providers: readonly string[] | null): PriceList {
  const form = `Form: {"date":"2026-11-26","models":{"zai":{"glm-5.3":{"input":1.4,"output":4.4,"cacheRead":0.26}}}}, dollars per million tokens.`;
  const read = () => {
    try {
      return { value: JSON.parse(json) as unknown };
    } catch (error) {
      throw new UacError("bad_config", `${where} is not JSON: ${error instanceof Error ? error.message : String(error)}. ${form}`);
    }
  };
  const parsed = priceListSchema.safeParse(read().value);
  if (!parsed.success) throw new UacError("bad_config", `${where} is not a price list: ${z.prettifyError(parsed.error)}. ${form}`);
  const unknown = Object.keys(parsed.data.models).find((name) => providers && !providers.includes(name));
  if (providers && unknown !== undefined) {
    throw new UacError("bad_config", `${where} has prices of ${unknown}, which is no provider here; there are ${providers.join(", ")}.`);
  }
  const models = Object.entries(parsed.data.models).map(([provider, own]) => [
    provider,
    Object.fromEntries(Object.entries(own).map(([model, price]) => [model.toLowerCase(), price])),
  ]);
  return { date: parsed.data.date, models: Object.fromEntries(models) };
}

/**
 * What a model costs at a time, or null where the list does not know it. Knows it by its exact id, in any case, or with a date behind
 * it (`claude-haiku-4-5-20251001`, `o3-2025-04-16`): a longer name is another model.
 */
export function tariffIn(list: PriceList, provider: string, model: string, at: number): Tariff | null {
  const models = Object.hasOwn(list.models, provider) ? list.models[provider] : undefined;
  const id = model.toLowerCase();
  const known = models && [id, id.replace(/[-@](\d{8}|\d{4}-\d\d-\d\d)$/, "")].find((name) => Object.hasOwn(models, name));
  const price = known === undefined ? undefined : models?.[known];
  if (!price) return null;
  return (Array.isArray(price) ? price : [price]).findLast((one) => applies(one, at)) ?? null;
}

const dayMs = 86_400_000;

function applies({ from, daily, weekdays }: ListedPrice, at: number): boolean {
  if (from !== undefined && at < Date.parse(from)) return false;
  // The first of January 1970 was a Thursday: with Monday as 0, day 0 is 3.
  if (weekdays && (Math.floor(at / dayMs) + 3) % 7 > 4) return false;
  if (daily === undefined) return true;
  const [start = 0, end = 0] = daily.split("-").map((text) => Date.parse(`1970-01-01T${text}Z`));
  const now = at % dayMs;
  return start <= end ? now >= start && now < end : now >= start || now < end;
}
