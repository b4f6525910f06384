/** An endpoint as a preset says, with what a test says instead. */
import { type Preset, presetOf, presets } from "#adapters/llm/presets.ts";
import { type Endpoint, type ProviderFacts, type ProviderName, windowFor } from "#core/endpoint.ts";
import type { BillingMode } from "#core/ledger.ts";
import type { Wire } from "#core/wire-usage.ts";

export interface EndpointChoice {
  provider: string;
  wire?: Wire;
  model?: string;
  baseUrl?: string;
  apiKey?: string;
  /** Goes as a bearer token, and before `apiKey`. */
  authToken?: string;
  billing?: BillingMode;
}

export function endpointOf({ provider, apiKey, authToken, ...choice }: EndpointChoice): Endpoint {
  const preset = presetOf(provider) as Preset;
  const wire = choice.wire ?? preset.wire;
  const kind = wire === "anthropic" && preset.key === "x-api-key" && !authToken ? "x-api-key" : "bearer";
  const value = authToken ?? apiKey;
  const { model, billing, urls } = preset;
  const window = windowFor(preset, choice.model ?? model);
  const baseUrl = urls[wire] ?? "http://127.0.0.1:1";
  return { provider, wire, model, billing, window, baseUrl, ...choice, key: value ? { kind, value } : null };
}

/** Providers for a profile of a test that calls no model: they want neither key nor address. */
export function quietProviders(...names: ProviderName[]): Record<string, ProviderFacts> {
  return Object.fromEntries(
    names.map((name) => [name, { ...presets[name], key: "none", urls: { anthropic: "http://127.0.0.1:1" }, wire: "anthropic" }]),
  );
}
