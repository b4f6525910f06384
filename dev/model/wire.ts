/** The Anthropic Messages wire, server side: what a request holds, and a reply as JSON or as a stream of events. */
import { createHash, randomBytes } from "node:crypto";
import * as z from "zod";

const block = z.looseObject({ type: z.string() });
const content = z.union([z.string(), z.array(block)]);

export const requestSchema = z.looseObject({
  model: z.string().min(1),
  max_tokens: z.int().positive(),
  stream: z.boolean().optional(),
  system: content.optional(),
  tools: z.array(z.looseObject({ name: z.string(), input_schema: z.looseObject({}).optional() })).optional(),
  /** `system` in between: what engines of others remind the model of. */
  messages: z.array(z.looseObject({ role: z.enum(["user", "assistant", "system"]), content })).min(1),
});
export type WireRequest = z.infer<typeof requestSchema>;
export type WireBlock = z.infer<typeof block>;

/** What the model says next. */
export interface Says {
  text?: string;
  call?: { name: string; input: Record<string, unknown> };
}

export interface WireUsage {
  input_tokens: number;
  cache_creation_input_tokens: number;
  cache_read_input_tokens: number;
  cache_creation: { ephemeral_5m_input_tokens: number; ephemeral_1h_input_tokens: number };
  output_tokens: number;
}

export interface WireMessage {
  id: string;
  type: "message";
  role: "assistant";
  model: string;
  content: WireBlock[];
  stop_reason: string;
  stop_sequence: null;
  usage: WireUsage;
}

export function blocksOf(value: string | WireBlock[]): WireBlock[] {
  return typeof value === "string" ? [{ type: "text", text: value }] : value;
}

/** Text of a content value: of its text blocks, or of a tool result's. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return "";
  return value.map((part) => (part?.type === "text" ? String(part.text) : "")).join("");
}

export function newId(prefix: string): string {
  return `${prefix}_01${randomBytes(16).toString("base64url").replace(/[-_]/g, "x").slice(0, 22)}`;
}

export function toMessage(says: Says, model: string, input: Omit<WireUsage, "output_tokens">, stop?: string): WireMessage {
  const blocks: WireBlock[] = [];
  if (says.text) blocks.push({ type: "text", text: says.text });
  if (says.call) blocks.push({ type: "tool_use", id: newId("toolu"), name: says.call.name, input: says.call.input });
  return {
    id: newId("msg"),
    type: "message",
    role: "assistant",
    model,
    content: blocks,
    stop_reason: stop ?? (says.call ? "tool_use" : "end_turn"),
    stop_sequence: null,
    usage: { ...input, output_tokens: tokens(JSON.stringify(blocks)) },
  };
}

/** The stream of a message, one `[event, data]` pair each. `spoil` may replace a tool call's JSON, to break it. */
export function* toEvents(message: WireMessage, spoil: (json: string) => string = (json) => json): Generator<[string, unknown]> {
  const { usage } = message;
  yield ["message_start", { message: { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } } }];
  yield ["ping", {}];
  for (const [index, block] of message.content.entries()) {
    if (block.type === "text") {
      yield ["content_block_start", { index, content_block: { type: "text", text: "" } }];
      for (const text of pieces(String(block.text), 24)) yield ["content_block_delta", { index, delta: { type: "text_delta", text } }];
    } else {
      yield ["content_block_start", { index, content_block: { ...block, input: {} } }];
      for (const partial_json of pieces(spoil(JSON.stringify(block.input)), 48)) {
        yield ["content_block_delta", { index, delta: { type: "input_json_delta", partial_json } }];
      }
    }
    yield ["content_block_stop", { index }];
  }
  const { cache_creation: _, ...counted } = usage;
  yield ["message_delta", { delta: { stop_reason: message.stop_reason, stop_sequence: null }, usage: counted }];
  yield ["message_stop", {}];
}

function* pieces(text: string, size: number): Generator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

/** Four bytes a token: near enough to bill the nominal price. */
function tokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/** Prefixes that a cache breakpoint stored; the oldest fall out. */
export type Cache = Map<string, true>;
const maxPrefixes = 2000;

/** Input usage as the provider counts it: read up to the longest stored breakpoint, written up to the last one. */
export function meter(request: WireRequest, cache: Cache): Omit<WireUsage, "output_tokens"> {
  const parts = [
    ...(request.tools ?? []),
    ...blocksOf(request.system ?? []),
    ...request.messages.flatMap((message) => blocksOf(message.content).map((part) => ({ role: message.role, ...part }))),
  ];
  const hash = createHash("sha256");
  let size = 0;
  let read = 0;
  let marked = 0;
  for (const part of parts) {
    // Breakpoints move from call to call: they are no part of the prefix.
    const { cache_control, ...rest } = part as Record<string, unknown>;
    const json = JSON.stringify(rest);
    hash.update(json);
    size += tokens(json);
    const prefix = hash.copy().digest("base64");
    if (cache.has(prefix)) read = size;
    if (!cache_control) continue;
    marked = size;
    cache.delete(prefix);
    cache.set(prefix, true);
  }
  for (const oldest of cache.keys()) {
    if (cache.size <= maxPrefixes) break;
    cache.delete(oldest);
  }
  const written = Math.max(0, marked - read);
  return {
    input_tokens: size - read - written,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: read,
    cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: 0 },
  };
}
