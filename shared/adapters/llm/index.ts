/**
 * Provider names to adapters: the one place that knows them all. To add a provider: its adapter (if it speaks a wire of
 * its own), a row here, a line in the contract suite.
 */
import { UacError } from "#core/errors.ts";
import type { Clock } from "#ports/clock.ts";
import type { Llm } from "#ports/llm.ts";
import { anthropicLlm, anthropicUrl, classicVersion, currentVersion } from "./anthropic.ts";

export interface Provider {
  label: string;
  /** Null: the operator must say where it is. */
  baseUrl: string | null;
  /** How it wants an API key; an `authToken` is always sent as a bearer token. */
  keyHeader: "x-api-key" | "bearer";
  /** `anthropic-version` */
  version: string;
  /** Used where the operator names none. */
  model: string;
}

/** All of these speak the Anthropic Messages API. Base URLs as in each provider's documentation, November 2026. */
export const providers: Readonly<Record<string, Provider>> = {
  anthropic: { label: "Anthropic", baseUrl: anthropicUrl, keyHeader: "x-api-key", version: currentVersion, model: "claude-sonnet-5-5" },
  zai: { label: "Z.ai", baseUrl: "https://api.z.ai/api/anthropic", keyHeader: "bearer", version: classicVersion, model: "glm-5.3" },
  deepseek: {
    label: "DeepSeek",
    baseUrl: "https://api.deepseek.com/anthropic",
    keyHeader: "x-api-key",
    version: classicVersion,
    model: "deepseek-v4-pro",
  },
  kimi: { label: "Kimi", baseUrl: "https://api.moonshot.ai/anthropic", keyHeader: "bearer", version: classicVersion, model: "kimi-k3" },
  minimax: {
    label: "MiniMax",
    baseUrl: "https://api.minimax.io/anthropic",
    keyHeader: "bearer",
    version: classicVersion,
    model: "MiniMax-M2.7",
  },
  /** The stand-in of the corporation in a box. It has no intelligence, and says so. */
  scripted: { label: "Scripted stand-in", baseUrl: null, keyHeader: "x-api-key", version: currentVersion, model: "scripted-1" },
};

export interface LlmConfig {
  provider: string;
  clock: Clock;
  model?: string | undefined;
  /** Instead of the provider's own address: a gateway, a local server. */
  baseUrl?: string | undefined;
  apiKey?: string | undefined;
  authToken?: string | undefined;
  fetch?: typeof fetch | undefined;
  /** Tries after the first. */
  maxRetries?: number | undefined;
}

/** Throws `bad_config` that names the variable to set. */
export function llmFor(config: LlmConfig): Llm {
  const provider = Object.hasOwn(providers, config.provider) ? providers[config.provider] : undefined;
  if (!provider) {
    throw badConfig(`There is no model provider ${config.provider}. Known: ${Object.keys(providers).join(", ")}.`);
  }
  const baseUrl = config.baseUrl || provider.baseUrl;
  if (!baseUrl) throw badConfig(`The provider ${config.provider} has no address of its own. Set ANTHROPIC_BASE_URL.`);
  if (!URL.canParse(baseUrl)) throw badConfig(`ANTHROPIC_BASE_URL is not a URL: ${baseUrl}`);
  const key = config.apiKey || undefined;
  const token = config.authToken || (provider.keyHeader === "bearer" ? key : undefined);
  if (!key && !token) throw badConfig(`${provider.label} needs a key. Set ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN.`);
  return anthropicLlm({
    provider: config.provider,
    model: config.model || provider.model,
    clock: config.clock,
    baseUrl,
    version: provider.version,
    ...(token ? { authToken: token } : key ? { apiKey: key } : {}),
    ...(config.fetch && { fetch: config.fetch }),
    ...(config.maxRetries !== undefined && { maxRetries: config.maxRetries }),
  });
}

function badConfig(message: string): UacError {
  return new UacError("bad_config", message);
}
