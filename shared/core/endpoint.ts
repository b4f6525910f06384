/** Where a model is and how it is asked there: all that an adapter needs to know, resolved from an environment. */
import type { BillingMode } from "./ledger.ts";
import type { Wire } from "./wire-usage.ts";

export const keyKinds = ["x-api-key", "bearer"] as const;

/** The providers that are known by name; their rows are in `shared/adapters/llm/presets.ts`. The first is the default. */
export const providerNames = [
  "anthropic",
  "zai",
  "deepseek",
  "kimi",
  "minimax",
  "gemini",
  "openrouter",
  "openai",
  "ollama",
  "scripted",
] as const;
export type ProviderName = (typeof providerNames)[number];

/** What is known of a provider before anything is said of it: what an endpoint is resolved from. */
export interface ProviderFacts {
  label: string;
  /** What it speaks unless the operator says otherwise. */
  wire: Wire;
  /** Every wire that it speaks, and where. Null: the operator must say where it is. */
  urls: Partial<Record<Wire, string | null>>;
  /** How it wants an API key over Anthropic's wire; over OpenAI's it is always a bearer token. `none`: it asks for none. */
  key: "x-api-key" | "bearer" | "none";
  /** Used where the operator names none. */
  model: string;
  billing: BillingMode;
  /** Its subscriptions are sold for coding alone: other use may cost the account. */
  codingPlan?: true;
  /** Tokens that its models hold, answer included, by how their names begin; of several the longest counts. Empty: any other model. */
  windows: Readonly<Record<string, number>> & { "": number };
}

/** Tokens that a model holds. */
export function windowFor({ windows }: Pick<ProviderFacts, "windows">, model: string): number {
  const [longest = ""] = Object.keys(windows)
    .filter((name) => model.toLowerCase().startsWith(name))
    .toSorted((a, b) => b.length - a.length);
  return windows[longest] ?? windows[""];
}

export interface Endpoint {
  /** A name of the table of presets: it says what the provider can do and what is odd about it. */
  provider: string;
  wire: Wire;
  model: string;
  /** Without the path of a call: `/v1/messages` (Anthropic), `/chat/completions` or `/responses` (OpenAI) is added. */
  baseUrl: string;
  /** A secret, and the header that it goes in. Null: none is asked for. */
  key: { kind: (typeof keyKinds)[number]; value: string } | null;
  /** Tokens that the model holds, answer included. */
  window: number;
  billing: BillingMode;
}
