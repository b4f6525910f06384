/** What the stand-in reads and says, whatever the wire: in the words of Anthropic Messages. The wires themselves: `wires/`. */
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

/** Four bytes a token: near enough to bill the nominal price. */
function tokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/** Prefixes that a cache breakpoint stored; the oldest fall out. */
export type Cache = Map<string, true>;
const maxPrefixes = 2000;

/**
 * Input usage as the provider counts it: read up to the longest stored breakpoint, written up to the last one. A provider that caches by
 * itself, without marks, stores what stays the same from step to step and the whole, and writes for nothing.
 */
export function meter(request: WireRequest, cache: Cache, caches: "marks" | "itself" = "marks"): Omit<WireUsage, "output_tokens"> {
  const fixed = [...(request.tools ?? []), ...blocksOf(request.system ?? [])];
  const said = request.messages.flatMap((message) => blocksOf(message.content).map((part) => ({ role: message.role, ...part })));
  const parts = [...fixed, ...said];
  const hash = createHash("sha256");
  let size = 0;
  let read = 0;
  let marked = 0;
  for (const [at, part] of parts.entries()) {
    // Breakpoints move from call to call: they are no part of the prefix.
    const { cache_control, ...rest } = part as Record<string, unknown>;
    const json = JSON.stringify(rest);
    hash.update(json);
    size += tokens(json);
    const prefix = hash.copy().digest("base64");
    if (cache.has(prefix)) read = size;
    const isStored = caches === "marks" ? cache_control : at === fixed.length - 1 || at === parts.length - 1;
    if (!isStored) continue;
    marked = size;
    cache.delete(prefix);
    cache.set(prefix, true);
  }
  for (const oldest of cache.keys()) {
    if (cache.size <= maxPrefixes) break;
    cache.delete(oldest);
  }
  const written = caches === "marks" ? Math.max(0, marked - read) : 0;
  return {
    input_tokens: size - read - written,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: read,
    cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: 0 },
  };
}
