/**
 * One model behind one endpoint. `complete` resolves only with a whole message: a stream that was cut, a body that
 * stalls or a reply that is not the protocol is an error, so no tool ever runs from half a message.
 *
 * Errors: `UacError` with `llm_unreachable` (network, 408, 429, 5xx: retried here within bounds), `llm_refused` (the
 * provider said no: key, balance, bad request), `llm_incomplete` (not a whole message, retried here within bounds),
 * `over_budget` (a budget of ours refused the call before it was made) or `interrupted` (the signal).
 */
import type { UacError } from "#core/errors.ts";
import type { Usage, usageSources } from "#core/ledger.ts";
import type { Wire } from "#core/wire-usage.ts";

export type Block =
  | { type: "text"; text: string }
  /** In a user's message alone. `data` is base64. A model that sees no images is told that there was one. */
  | ImageBlock
  | { type: "tool_use"; id: string; name: string; input: unknown }
  /** `images` belong to the result; a wire without a place for them there sends them right after the results of the step. */
  | { type: "tool_result"; id: string; content: string; isError: boolean; images?: readonly ImageBlock[] }
  /**
   * A provider's own block (thinking, a signature, …), replayed verbatim to the same provider over the same wire and to no other.
   * Absent, the wire is Anthropic's: older transcripts know no other. Its place among the blocks says what it belongs to.
   */
  | { type: "opaque"; provider: string; wire?: Wire; raw: unknown };

export const imageTypes = ["image/png", "image/jpeg", "image/gif", "image/webp"] as const;
export type ImageType = (typeof imageTypes)[number];

export interface ImageBlock {
  type: "image";
  mediaType: ImageType;
  data: string;
}

export interface Message {
  role: "user" | "assistant";
  content: Block[];
}

export interface ToolSpec {
  name: string;
  description: string;
  /** JSON Schema of the input, `additionalProperties: false`. */
  inputSchema: Record<string, unknown>;
}

/** How much a model may think before it answers. A model that can't be told so thinks as it likes. */
export const thinkingLevels = ["off", "low", "high"] as const;
export type Thinking = (typeof thinkingLevels)[number];

export interface ModelRequest {
  system: string;
  messages: readonly Message[];
  /** Sorted by name: a byte-stable prefix is a cacheable prefix. */
  tools: readonly ToolSpec[];
  maxTokens: number;
  /** Absent: as the provider does by itself. */
  thinking?: Thinking;
  /** Which step of a run asks, from 1: told to the meter, never to the provider. */
  step?: number;
  signal?: AbortSignal;
}

export interface ModelReply {
  content: Block[];
  stop: "end" | "tool_use" | "max_tokens" | "refusal";
  /** Of the try that succeeded. Tries that failed are calls of their own. */
  usage: Usage;
  usageSource: (typeof usageSources)[number];
  /** Who answered: in a chain, not always the first. */
  provider: string;
  /** As the provider reports it; it may differ from what was asked. */
  model: string;
}

export interface Llm {
  readonly provider: string;
  readonly model: string;
  /** Tokens that it holds, answer included; of several models the least. Absent: nobody knows. */
  readonly window?: number;
  complete(request: ModelRequest): Promise<ModelReply>;
}

/** What `complete` rejects with. */
export interface LlmFailure extends UacError {
  /** What the last try used, as far as the provider told. */
  usage?: Usage;
  /** The account has nothing left, or nothing until its window resets: another provider may answer. */
  exhausted?: boolean;
  /** The request is longer than the model's window. */
  overflow?: boolean;
}
