/**
 * The providers that are known by name: where each is, how it is asked, what it can do and what is odd about it. Addresses, models and
 * oddities as in each provider's documentation and its users' reports, windows also as in `@pydantic/genai-prices`, November 2026. To add a provider: its name in `shared/core/endpoint.ts`, a row here, its prices, `npm run docs`.
 */
import type { ProviderFacts, ProviderName } from "#core/endpoint.ts";
import type { Wire } from "#core/wire-usage.ts";
import type { ThinkingStyle } from "./thinking.ts";

/** Current since October 2026 and the SDK's own default; it refuses temperature, top_p and top_k, which we never send. */
const currentVersion = "2026-10-21";
/** What the endpoints of others were written against. */
const classicVersion = "2023-06-01";

export interface Preset extends ProviderFacts {
  /** `anthropic-version` */
  version: string;
  does: Abilities;
  quirks: Quirks;
}

export interface Abilities {
  /** How it is told to think, by wire; null or absent: it can't be told. */
  thinking: Partial<Record<Wire, ThinkingStyle>>;
  /** False: its default model sees no images, and they are replaced by a word. */
  images: boolean;
  /** `marks`: caches up to our marks; `itself`: caches without being asked; `none`: neither. Marks are sent over Anthropic's wire in any case. */
  caching: "marks" | "itself" | "none";
}

export interface Quirks {
  /** Refuses an assistant's message without thinking: `tools`, those that call tools; `all`, any. What another provider said gets a word. */
  wantsThinking?: "tools" | "all";
  /** Some of its models can't be told not to think, and refuse to be: they are not told. */
  alwaysThinks?: boolean;
  /** `<think>` may stand at the head of the text over Chat Completions. */
  thinkInText?: boolean;
  /** Asks for the thinking beside the text over Chat Completions (MiniMax's own parameter). */
  splitsReasoning?: boolean;
  /** Caches only up to `cache_control`, for models of this prefix, and rejects the mark on messages of the role `tool`. */
  marksFor?: string;
  /** The name of the output limit over Chat Completions; `max_tokens` where absent. */
  outputLimit?: "max_completion_tokens";
}

const asToldByOpenAi: Abilities["thinking"] = { chat: "effort", responses: "reasoning" };

export const presets: Readonly<Record<ProviderName, Preset>> = {
  anthropic: {
    label: "Anthropic",
    wire: "anthropic",
    key: "x-api-key",
    version: currentVersion,
    model: "claude-sonnet-5-5",
    billing: "metered",
    windows: {
      "": 200_000,
      "claude-opus-4-7": 1_000_000,
      "claude-opus-4-8": 1_000_000,
      "claude-opus-5": 1_000_000,
      "claude-sonnet-4-6": 1_000_000,
      "claude-sonnet-5": 1_000_000,
    },
    urls: { anthropic: "https://api.anthropic.com" },
    does: { thinking: { anthropic: "adaptive" }, images: true, caching: "marks" },
    quirks: {},
  },
  zai: {
    label: "Z.ai",
    wire: "anthropic",
    key: "bearer",
    version: classicVersion,
    model: "glm-5.3",
    billing: "metered",
    codingPlan: true,
    windows: { "": 128_000, "glm-4.6": 200_000, "glm-4.7": 200_000, "glm-5": 200_000, "glm-5.2": 1_000_000, "glm-5.3": 1_000_000 },
    urls: { anthropic: "https://api.z.ai/api/anthropic", chat: "https://api.z.ai/api/paas/v4" },
    does: { thinking: { anthropic: "budget", chat: "switch" }, images: false, caching: "itself" },
    quirks: {},
  },
  deepseek: {
    label: "DeepSeek",
    wire: "anthropic",
    key: "x-api-key",
    version: classicVersion,
    model: "deepseek-v4-pro",
    billing: "metered",
    windows: { "": 64_000, "deepseek-v3": 128_000, "deepseek-v4": 1_000_000 },
    urls: { anthropic: "https://api.deepseek.com/anthropic", chat: "https://api.deepseek.com" },
    does: { thinking: { anthropic: "budget", chat: "switch" }, images: false, caching: "itself" },
    quirks: { wantsThinking: "all" },
  },
  kimi: {
    label: "Kimi",
    wire: "anthropic",
    key: "bearer",
    version: classicVersion,
    model: "kimi-k3",
    billing: "metered",
    windows: { "": 128_000, "kimi-k2-thinking": 262_144, "kimi-k2-turbo": 262_144, "kimi-k2.": 262_144, "kimi-k3": 1_048_576 },
    urls: { anthropic: "https://api.moonshot.ai/anthropic", chat: "https://api.moonshot.ai/v1" },
    does: { thinking: { anthropic: "budget", chat: "switch" }, images: true, caching: "itself" },
    quirks: { wantsThinking: "tools", alwaysThinks: true },
  },
  minimax: {
    label: "MiniMax",
    wire: "anthropic",
    key: "bearer",
    version: classicVersion,
    model: "MiniMax-M2.7",
    billing: "metered",
    windows: { "": 200_000, "minimax-m2": 204_800, "minimax-m3": 1_000_000 },
    urls: { anthropic: "https://api.minimax.io/anthropic", chat: "https://api.minimax.io/v1" },
    does: { thinking: {}, images: false, caching: "marks" },
    quirks: { thinkInText: true, splitsReasoning: true, outputLimit: "max_completion_tokens" },
  },
  gemini: {
    label: "Gemini",
    wire: "chat",
    key: "bearer",
    version: classicVersion,
    model: "gemini-3.8-flash",
    billing: "metered",
    windows: { "": 128_000, "gemini-2.5": 1_000_000, "gemini-3": 1_000_000 },
    urls: { chat: "https://generativelanguage.googleapis.com/v1beta/openai" },
    does: { thinking: asToldByOpenAi, images: true, caching: "itself" },
    quirks: {},
  },
  openrouter: {
    label: "OpenRouter",
    wire: "chat",
    key: "bearer",
    version: classicVersion,
    model: "anthropic/claude-sonnet-5",
    billing: "metered",
    windows: { "": 128_000, "anthropic/claude": 200_000, "anthropic/claude-sonnet-5": 1_000_000, "anthropic/claude-opus-5": 1_000_000 },
    urls: { chat: "https://openrouter.ai/api/v1", anthropic: "https://openrouter.ai/api", responses: "https://openrouter.ai/api/v1" },
    does: { thinking: { chat: "reasoning", responses: "reasoning", anthropic: "budget" }, images: true, caching: "marks" },
    quirks: { marksFor: "anthropic/" },
  },
  openai: {
    label: "OpenAI",
    wire: "responses",
    key: "bearer",
    version: classicVersion,
    model: "gpt-5.6-sol",
    billing: "metered",
    windows: {
      "": 128_000,
      "gpt-4.1": 1_000_000,
      "gpt-5.1": 400_000,
      "gpt-5.2": 400_000,
      "gpt-5.4": 400_000,
      "gpt-5.5": 1_000_000,
      "gpt-5.6": 1_050_000,
      "gpt-6": 1_050_000,
    },
    urls: { responses: "https://api.openai.com/v1", chat: "https://api.openai.com/v1" },
    does: { thinking: asToldByOpenAi, images: true, caching: "itself" },
    quirks: { outputLimit: "max_completion_tokens" },
  },
  ollama: {
    label: "Ollama",
    wire: "chat",
    key: "none",
    version: classicVersion,
    model: "qwen3-coder",
    billing: "local",
    // It holds what its own setting (num_ctx) and the memory allow, and says so to nobody: LLM_CONTEXT_TOKENS does.
    windows: { "": 32_768 },
    urls: { chat: "http://127.0.0.1:11434/v1", anthropic: "http://127.0.0.1:11434" },
    does: { thinking: { chat: "effort", anthropic: "budget" }, images: false, caching: "none" },
    quirks: { thinkInText: true },
  },
  /** The stand-in of the corporation in a box. It has no intelligence, and says so. */
  scripted: {
    label: "Scripted stand-in",
    wire: "anthropic",
    key: "x-api-key",
    version: currentVersion,
    model: "scripted-1",
    billing: "metered",
    windows: { "": 200_000 },
    urls: { anthropic: null, chat: null, responses: null },
    does: { thinking: {}, images: false, caching: "marks" },
    quirks: {},
  },
};

/** What is assumed of a provider without a row. */
const unknown: Pick<Preset, "version" | "does" | "quirks"> = {
  version: classicVersion,
  does: { thinking: {}, images: true, caching: "itself" },
  quirks: {},
};

/** A provider's ways; plain ones for a name without a row. */
export function waysOf(provider: string): Pick<Preset, "version" | "does" | "quirks"> {
  return presetOf(provider) ?? unknown;
}

export function presetOf(provider: string): Preset | null {
  return Object.hasOwn(presets, provider) ? presets[provider as ProviderName] : null;
}
