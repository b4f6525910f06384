/** Which models each seat asks, in order: resolved from the environment, whole, before anything starts. */
import * as z from "zod";
import { type Endpoint, windowFor } from "#core/endpoint.ts";
import { type Seat, seats } from "#core/persona.ts";
import { vps } from "#core/vp.ts";
import { oneOf, type Reader } from "./env-reader.ts";
import { type Providers, readAccounts } from "./provider-accounts.ts";

/** Never empty. */
export type Chain = readonly [Endpoint, ...Endpoint[]];
export type Inference = Readonly<Record<Seat, Chain>>;

export interface InferenceOptions {
  providers: Providers;
  /** Seats that call a model in this factory: what those ask needs its key. */
  called: readonly Seat[];
  /** Not in this program, which calls none. */
  keyless: boolean;
}

/** Most models that may stand behind a seat's first. */
const mostFallbacks = 4;

const modelName = z.string().regex(/^\P{Cc}{1,128}$/u, "is no model's name: one line of up to 128 characters");

/** A model as the environment names it. */
interface Choice {
  provider: string;
  /** Null: the provider's default. */
  model: string | null;
  /** The variable that says so. */
  by: string;
}

/** The variables that say what a seat asks. */
function variablesOf(seat: Seat): { model: string; provider: string; fallback: string } {
  if (seat === "primary") return { model: "PRIMARY_MODEL_NAME", provider: "PRIMARY_LLM_PROVIDER", fallback: "PRIMARY_LLM_FALLBACK" };
  const { modelEnv: model, providerEnv: provider, fallbackEnv: fallback } = vps[seat];
  return { model, provider, fallback };
}

/** Complains of every variable that is wrong. What it resolves to is of use only where there was nothing to complain of. */
export function readInference(
  from: Reader,
  { providers, called, keyless }: InferenceOptions,
): { inference: Inference; cautions: readonly string[] } {
  const names = Object.keys(providers);
  const main = from.read("LLM_PROVIDER", oneOf(...names)) ?? names[0] ?? "";
  const model = from.read("MODEL_NAME", modelName);
  const fallback = from.read("LLM_FALLBACK", fallbacks(names)) ?? [];

  const picksOf = (seat: Seat): readonly [Choice, ...Choice[]] => {
    const variables = variablesOf(seat);
    const own = from.read(variables.provider, oneOf(...names));
    const ownModel = from.read(variables.model, modelName);
    const others = from.read(variables.fallback, fallbacks(names));
    // MODEL_NAME is a model of LLM_PROVIDER's: nobody else would know it.
    const first = { provider: own ?? main, model: ownModel ?? (own && own !== main ? null : model) };
    const by = others ? variables.fallback : "LLM_FALLBACK";
    return [{ ...first, by: own ? variables.provider : "LLM_PROVIDER" }, ...(others ?? fallback).map((other) => ({ ...other, by }))];
  };
  const picks = seats.map((seat) => [seat, picksOf(seat)] as const);
  const needed = new Set(
    picks.flatMap(([seat, chain]) => (called.includes(seat) && !keyless ? chain.map(({ provider }) => provider) : [])),
  );
  const named = new Map(picks.flatMap(([, chain]) => chain.map((pick) => [pick.provider, pick.by] as const)).toReversed());
  const accountOf = readAccounts(from, { providers, main, named, needed });

  const endpointOf = ({ provider, model: picked }: Choice): Endpoint => {
    const facts = providers[provider];
    const model = picked ?? facts?.model ?? "";
    const { window, ...account } = accountOf(provider);
    return { provider, model, ...account, window: window ?? (facts ? windowFor(facts, model) : 0) };
  };
  const chainOf = ([first, ...others]: readonly [Choice, ...Choice[]]): Chain => {
    const chain: [Endpoint, ...Endpoint[]] = [endpointOf(first)];
    for (const endpoint of others.map(endpointOf)) {
      if (!chain.some((one) => one.provider === endpoint.provider && one.model === endpoint.model)) chain.push(endpoint);
    }
    return chain;
  };
  const inference = Object.fromEntries(picks.map(([seat, chain]) => [seat, chainOf(chain)])) as unknown as Inference;
  return { inference, cautions: cautionsOf(inference, { providers, called }) };
}

/** `zai:glm-5.3, openai`, or `none`. */
function fallbacks(names: readonly string[]) {
  return z.string().transform((value, issues): Omit<Choice, "by">[] => {
    if (value === "none") return [];
    const picks = value.split(",").map((part) => {
      const [, provider = "", model] = /^([^:]*)(?::(.*))?$/s.exec(part.trim()) ?? [];
      return { provider: provider.trim(), model: model?.trim() || null };
    });
    const complain = (message: string) => issues.addIssue({ code: "custom", message });
    const unknown = picks.find(({ provider }) => !names.includes(provider));
    if (unknown)
      complain(
        `names the provider ${JSON.stringify(unknown.provider)}; allowed: \`none\`, or \`provider\` and \`provider:model\`, separated by commas, of ${names.join(", ")}`,
      );
    if (picks.length > mostFallbacks) complain(`names more than ${mostFallbacks}`);
    if (picks.some(({ model }) => model !== null && !modelName.safeParse(model).success))
      complain("names a model of more than 128 characters, or of more than one line");
    return picks;
  });
}

function cautionsOf(inference: Inference, { providers, called }: Pick<InferenceOptions, "providers" | "called">): string[] {
  return called.flatMap((seat) => {
    if (seat === "coder") return [];
    const plan = inference[seat].find(({ provider, billing }) => billing === "subscription" && providers[provider]?.codingPlan);
    if (!plan) return [];
    const label = providers[plan.provider]?.label ?? plan.provider;
    const who = seat === "primary" ? "the primary" : `the ${vps[seat].title}`;
    const { provider, fallback } = variablesOf(seat);
    const off = seat === "primary" ? "" : `, or ${vps[seat].env}=false`;
    return [
      `${label} sells its subscriptions for coding alone, and ${who} uses one for other work: it may suspend the account. Give it another provider (${provider}, ${fallback})${off}.`,
    ];
  });
}
