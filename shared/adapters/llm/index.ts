/** From what an operator names to an adapter. The providers themselves are data: `presets.ts`. */
import type { Endpoint } from "#core/endpoint.ts";
import { UacError } from "#core/errors.ts";
import type { BillingMode } from "#core/ledger.ts";
import type { Wire } from "#core/wire-usage.ts";
import type { Clock } from "#ports/clock.ts";
import type { Llm } from "#ports/llm.ts";
import { anthropicLlm } from "./anthropic.ts";
import { type ChainOptions, chain } from "./chain.ts";
import { openAiLlm } from "./openai.ts";
import { type Preset, presetOf, presets } from "./presets.ts";
import type { TransportOptions } from "./transport.ts";

/** What an operator may say of an endpoint; the preset says the rest. Empty is absent. */
export interface EndpointChoice {
  provider: string;
  wire?: Wire | undefined;
  model?: string | undefined;
  /** Instead of the provider's own address: a gateway, a local server. */
  baseUrl?: string | undefined;
  apiKey?: string | undefined;
  /** Sent as a bearer token, and before `apiKey`. */
  authToken?: string | undefined;
  billing?: BillingMode | undefined;
}

/** Throws `bad_config` that names the variable to set. */
export function endpointOf(choice: EndpointChoice): Endpoint {
  const { provider } = choice;
  const preset = presetOf(provider);
  if (!preset) throw badConfig(`There is no model provider ${provider}. Known: ${Object.keys(presets).join(", ")}.`);
  const wire = choice.wire ?? preset.wire;
  const family = wire === "anthropic" ? "ANTHROPIC" : "OPENAI";
  const ownUrl = preset.urls[wire];
  const baseUrl = choice.baseUrl || ownUrl;
  if (ownUrl === undefined && !baseUrl) {
    const known = Object.keys(preset.urls).join(", ");
    throw badConfig(`${preset.label} does not speak the wire ${wire}. It speaks: ${known}. Set LLM_WIRE to one of them.`);
  }
  if (!baseUrl) throw badConfig(`The provider ${provider} has no address of its own. Set ${family}_BASE_URL.`);
  if (!URL.canParse(baseUrl)) throw badConfig(`${family}_BASE_URL is not a URL: ${baseUrl}`);
  return {
    provider,
    wire,
    model: choice.model || preset.model,
    baseUrl,
    key: keyOf(choice, preset, wire),
    billing: choice.billing ?? preset.billing,
  };
}

function keyOf({ apiKey, authToken }: EndpointChoice, preset: Preset, wire: Wire): Endpoint["key"] {
  const kind = wire === "anthropic" && preset.key === "x-api-key" ? "x-api-key" : "bearer";
  if (authToken) return { kind: "bearer", value: authToken };
  if (apiKey) return { kind, value: apiKey };
  if (preset.key === "none") return null;
  const names = wire === "anthropic" ? "ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN" : "OPENAI_API_KEY";
  throw badConfig(`${preset.label} needs a key. Set ${names}.`);
}

/** What an adapter needs beside where the model is. */
export type LlmDeps = Pick<TransportOptions, "clock" | "fetch" | "maxRetries" | "silenceMs" | "longestMs" | "annotate">;

/** An endpoint as today's profiles hold it: one address and key for each family of wires. */
export interface LlmConfig extends EndpointChoice, LlmDeps {
  /** These two where the wire is one of OpenAI's. */
  openaiBaseUrl?: string | undefined;
  openaiApiKey?: string | undefined;
}

/** The second form resolves its endpoint first, and throws as `endpointOf` does. */
export function llmFor(endpoint: Endpoint, deps: LlmDeps): Llm;
export function llmFor(config: LlmConfig): Llm;
export function llmFor(given: Endpoint | LlmConfig, deps?: LlmDeps): Llm {
  if (!deps) {
    const { openaiBaseUrl, openaiApiKey, ...config } = given as LlmConfig;
    const wire = config.wire ?? presetOf(config.provider)?.wire;
    const choice = wire === "anthropic" ? config : { ...config, baseUrl: openaiBaseUrl, apiKey: openaiApiKey, authToken: undefined };
    return llmFor(endpointOf(choice), config);
  }
  const { provider, wire, model, baseUrl, key } = given as Endpoint;
  const options = { ...deps, provider, model, baseUrl, key };
  return wire === "anthropic" ? anthropicLlm(options) : openAiLlm({ ...options, wire });
}

/** Tries after the first of one that has others behind it: a few seconds, not two minutes. */
const retriesWithOthersBehind = 2;

export interface ChainDeps {
  clock: Clock;
  /** What each is made with; each is metered as the provider that it is. */
  depsFor(endpoint: Endpoint): LlmDeps;
  onFallback?: ChainOptions["onFallback"];
}

/** The first that answers; see `chain.ts`. */
export function chainFor(endpoints: readonly [Endpoint, ...Endpoint[]], { clock, depsFor, onFallback }: ChainDeps): Llm {
  const [first, ...others] = endpoints;
  const make = (endpoint: Endpoint, i: number) => {
    const deps = depsFor(endpoint);
    return llmFor(endpoint, i < endpoints.length - 1 ? { maxRetries: retriesWithOthersBehind, ...deps } : deps);
  };
  if (others.length === 0) return make(first, 0);
  return chain([make(first, 0), ...others.map((endpoint, i) => make(endpoint, i + 1))], { clock, ...(onFallback && { onFallback }) });
}

function badConfig(message: string): UacError {
  return new UacError("bad_config", message);
}
