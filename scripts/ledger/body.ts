/** What a provider sent: of which wire it is, and what it tells of a call. */
import type { Wire } from "#core/wire-usage.ts";

export type Fields = Record<string, unknown>;

/** What a line tells of a call. */
export interface Heard {
  wire: Wire;
  /** The provider's name for the message; null where it does not say. */
  id: string | null;
  model: string | null;
  /** `whole`: a response; `begin`: a stream's first event; `part`: one of its others; `end`: the last, behind which nothing comes. */
  kind: "whole" | "begin" | "part" | "end";
  usage: Fields | null;
  /** UTF-8 bytes of what the model wrote, as far as this line has it. */
  bytes: number;
  /** The message is over by its own account. */
  ended: boolean;
  /** When, if the body says so; milliseconds since 1970. */
  at: number | null;
  /** Sold at another price than the usual one (`batch`, `flex`, `priority`), if the body says so. */
  tier: string | null;
}

/** Tiers that are the usual one. */
const usual = new Set(["standard", "default", "auto"]);

/** Null: it tells nothing of usage. Undefined: of no kind that is known. `wire`: of a usage alone. */
export function hear(body: Fields, wire: Wire | null, provider: string | null): Heard | null | undefined {
  const type = text_(body.type);
  if (type === "error" || (isFields(body.error) && !body.usage && !body.choices)) return null;
  if (type !== "assistant" && isOfRecord(body)) return null;
  if (type?.startsWith("response.")) return responsesEvent(type, body);
  if (body.object === "response") return whole("responses", body);
  if (Array.isArray(body.choices)) return chat(body);
  // As Claude Code keeps it: one line for each block, with the same message around it.
  if (type === "assistant" && isFields(body.message)) return body.message.model === "<synthetic>" ? null : whole("anthropic", body.message);
  if (type !== null && type !== "message") return anthropicEvent(type, body);
  if (isFields(body.usage)) return whole(wire ?? wireOf(body.usage, provider), body);
  return type === "message" ? whole("anthropic", body) : undefined;
}

/** Claude Code's record of a session has lines of what was asked, done and restored as well: they tell nothing of usage. */
function isOfRecord(body: Fields): boolean {
  return ["sessionId", "leafUuid", "snapshot"].some((key) => key in body) && !isFields(body.usage);
}

/** Of a usage alone. Without a word about caches the wires that say `input_tokens` mean the same by it. */
function wireOf(usage: Fields, provider: string | null): Wire {
  if ("prompt_tokens" in usage || "completion_tokens" in usage) return "chat";
  if ("input_tokens_details" in usage) return "responses";
  if ("cache_read_input_tokens" in usage || "cache_creation_input_tokens" in usage) return "anthropic";
  return provider === "openai" ? "responses" : "anthropic";
}

function whole(wire: Wire, body: Fields): Heard {
  const written = [body.content, body.output, body.choices].map((words) => writtenIn(words));
  const at = [body.created, body.created_at].find((value) => typeof value === "number" && value > 0);
  return {
    ...{ wire, id: text_(body.id), model: text_(body.model), kind: "whole", usage: isFields(body.usage) ? body.usage : null },
    ...{ bytes: written.reduce((sum, bytes) => sum + bytes, 0), ended: true, at: typeof at === "number" ? at * 1000 : null },
    tier:
      [body.service_tier, isFields(body.usage) ? body.usage.service_tier : null].map(text_).find((tier) => tier && !usual.has(tier)) ??
      null,
  };
}

const part = (wire: Wire, more: Partial<Heard>): Heard => ({
  ...{ wire, id: null, model: null, kind: "part", usage: null, bytes: 0, ended: false, at: null, tier: null },
  ...more,
});

function anthropicEvent(type: string, body: Fields): Heard | null | undefined {
  const delta = isFields(body.delta) ? body.delta : {};
  switch (type) {
    case "message_start":
      return isFields(body.message) ? { ...whole("anthropic", body.message), kind: "begin", ended: false } : undefined;
    case "content_block_start":
      return part("anthropic", { bytes: writtenIn(body.content_block) });
    case "content_block_delta":
      return part("anthropic", { bytes: writtenIn(delta) });
    case "message_delta":
      return part("anthropic", { usage: isFields(body.usage) ? body.usage : null, ended: text_(delta.stop_reason) !== null });
    case "message_stop":
      return part("anthropic", { kind: "end", ended: true });
    case "content_block_stop":
    case "ping":
      return null;
    default:
      return undefined;
  }
}

function chat(body: Fields): Heard {
  const choices = (body.choices as unknown[]).filter(isFields);
  const isWhole = body.object === "chat.completion" || choices.some(({ message }) => isFields(message));
  // Kimi tells it inside of the choice.
  const usage = [body.usage, ...choices.map((choice) => choice.usage)].find(isFields) ?? null;
  const bytes = choices.reduce((sum, { message, delta }) => sum + writtenIn(message) + writtenIn(delta), 0);
  const ended = isWhole || choices.some(({ finish_reason }) => text_(finish_reason) !== null);
  return { ...whole("chat", body), kind: isWhole ? "whole" : "part", usage, bytes, ended };
}

function responsesEvent(type: string, body: Fields): Heard | null {
  if (isFields(body.response)) {
    const over = ["response.completed", "response.incomplete", "response.failed"].includes(type);
    return { ...whole("responses", body.response), kind: over ? "whole" : "begin", ended: over };
  }
  return type.endsWith(".delta") ? part("responses", { bytes: sizeOf(body.delta) }) : null;
}

/** Keys under which a model's own words stand. */
const words = ["text", "thinking", "partial_json", "content", "reasoning_content", "reasoning", "arguments", "refusal"];
const around = ["function", "tool_calls", "message", "summary"];

/** Deeper than any answer is; what is deeper yet is not read. */
const deepest = 16;

function writtenIn(value: unknown, depth = 0): number {
  if (depth > deepest) return 0;
  const within = (inner: unknown) => writtenIn(inner, depth + 1);
  if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + within(one), 0);
  if (!isFields(value)) return 0;
  // What a tool is called with is an object in whole messages, and text in streams; a block begins with an empty one.
  const input = isFields(value.input) && Object.keys(value.input).length > 0 ? sizeOf(JSON.stringify(value.input)) : 0;
  const own = words.map((key) => (isText(value[key]) ? sizeOf(value[key]) : writtenIn(value[key])));
  return [...own, ...around.map((key) => within(value[key]))].reduce((sum, bytes) => sum + bytes, input);
}

export function sizeOf(value: unknown): number {
  return isText(value) ? new TextEncoder().encode(value).length : 0;
}

export function text_(value: unknown): string | null {
  return isText(value) && value !== "" ? value : null;
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
