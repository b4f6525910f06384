/**
 * One model behind one endpoint. `complete` resolves only with a whole message: a stream that was cut, a body that
 * stalls or a reply that is not the protocol is an error, so no tool ever runs from half a message.
 *
 * Errors: `UacError` with `llm_unreachable` (network, 408, 429, 5xx: retried here within bounds), `llm_refused` (the
 * provider said no: key, balance, bad request), `llm_incomplete` (not a whole message, retried here within bounds) or
 * `interrupted` (the signal). Tries that failed cost too: they are part of a reply's usage, or are on the error.
 */
import type { UacError } from "#core/errors.ts";
import type { Usage, usageSources } from "#core/ledger.ts";

export type Block =
  | { type: "text"; text: string }
  | { type: "tool_use"; id: string; name: string; input: unknown }
  | { type: "tool_result"; id: string; content: string; isError: boolean }
  /** A provider's own block (thinking, …), replayed verbatim to the same provider and to no other. */
  | { type: "opaque"; provider: string; raw: unknown };

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

export interface ModelRequest {
  system: string;
  messages: readonly Message[];
  /** Sorted by name: a byte-stable prefix is a cacheable prefix. */
  tools: readonly ToolSpec[];
  maxTokens: number;
  /** Which step of a run asks, from 1: told to the meter, never to the provider. */
  step?: number;
  signal?: AbortSignal;
}

export interface ModelReply {
  content: Block[];
  stop: "end" | "tool_use" | "max_tokens" | "refusal";
  usage: Usage;
  usageSource: (typeof usageSources)[number];
  /** As the provider reports it; it may differ from what was asked. */
  model: string;
}

export interface Llm {
  readonly provider: string;
  readonly model: string;
  complete(request: ModelRequest): Promise<ModelReply>;
}

/** What `complete` rejects with. */
export interface LlmFailure extends UacError {
  /** What the failed tries used, as far as the provider told. */
  usage?: Usage;
}
