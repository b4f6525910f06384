/** One line of a recording: what a provider sent, and what is said about it beside. The format is in docs/ledger.md. */
import { type Wire, wires } from "#core/wire-usage.ts";

export type Fields = Record<string, unknown>;

/** What a line tells of a call. */
export interface Heard {
  wire: Wire;
  /** The provider's name for the message; null where it does not say. */
  id: string | null;
  model: string | null;
  /** `whole`: a response; `begin`: a stream's first event; `part`: one of its others. */
  kind: "whole" | "begin" | "part";
  usage: Fields | null;
  /** UTF-8 bytes of what the model wrote, as far as this line has it. */
  bytes: number;
  /** The message is over by its own account. */
  ended: boolean;
  /** When, if the body says so; milliseconds since 1970. */
  at: number | null;
}

/** A line, or why it can't be read. `heard` is null for what tells nothing of usage: pings, ends of blocks, refusals. */
export type Line = { problem: Trouble } | { said: Said; heard: Heard | null };

export interface Trouble {
  what: string;
  why: string;
  todo: string;
}

/** What stands beside the body. */
export interface Said {
  provider: string | null;
  model: string | null;
  /** Names the stream that an event belongs to, where streams are mixed. */
  call: string | null;
  at: number | null;
  /** UTF-8 bytes of the request, where it was recorded. */
  requestBytes: number | null;
}

const format = "docs/ledger.md has the format";

export function readLine(text: string, knows: (provider: string) => boolean): Line {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return trouble(`is not JSON: ${text.slice(0, 60)}`, why, "write one whole JSON object on each line");
  }
  if (!isFields(value)) return trouble("is not an object", "a line tells of one response or one event of a stream", format);
  const wrapped = [value.body, value.event, value.data, isText(value.type) ? null : value.response].find(isFields);
  const body = wrapped ?? value;
  const told = text_(value.provider);
  // OpenRouter's answers name the vendor behind it under the same key.
  const vendor = !wrapped && Array.isArray(body.choices) && told !== null && !knows(told);
  const provider = vendor ? null : told;
  const said: Said = {
    provider,
    model: text_(value.model),
    call: text_(value.call) ?? text_(value.requestId) ?? text_(value.request_id),
    at: timeOf(value.at) ?? timeOf(value.timestamp),
    requestBytes: value.request === undefined ? null : sizeOf(JSON.stringify(value.request)),
  };
  const wire = value.wire;
  if (wire !== undefined && !wires.some((one) => one === wire)) {
    return trouble(`names the wire ${JSON.stringify(wire)}`, `there are ${wires.join(", ")}`, "name one of them, or leave it out");
  }
  const heard = hear(body, (wire as Wire | undefined) ?? null, provider);
  if (heard === undefined) {
    const kind = text_(body.type) ?? text_(body.object);
    return trouble(
      kind ? `is of a kind that is not known: ${kind}` : "holds no usage",
      "it is no response or event of a wire here",
      format,
    );
  }
  const odd = heard?.usage ? oddCount(heard.usage, "usage") : null;
  if (odd) return trouble(odd, "tokens are whole numbers from 0 to 100 million", "record the usage as the provider sent it");
  return { said, heard };
}

function trouble(what: string, why: string, todo: string): { problem: Trouble } {
  return { problem: { what, why, todo } };
}

/** Undefined: of no kind that is known. */
function hear(body: Fields, wire: Wire | null, provider: string | null): Heard | null | undefined {
  const type = text_(body.type);
  if (type === "error" || (isFields(body.error) && !body.usage && !body.choices)) return null;
  if (type?.startsWith("response.")) return responsesEvent(type, body);
  if (body.object === "response") return whole("responses", body);
  if (Array.isArray(body.choices)) return chat(body);
  // As Claude Code keeps it: one line for each block, with the same message around it.
  if (type === "assistant" && isFields(body.message)) return whole("anthropic", body.message);
  if (type !== null && type !== "message") return anthropicEvent(type, body);
  if (isFields(body.usage)) return whole(wire ?? wireOf(body.usage, provider), body);
  return type === "message" ? whole("anthropic", body) : undefined;
}

/** Of a usage alone. Without a word about caches the wires that say `input_tokens` mean the same by it. */
function wireOf(usage: Fields, provider: string | null): Wire {
  if ("prompt_tokens" in usage || "completion_tokens" in usage) return "chat";
  if ("input_tokens_details" in usage) return "responses";
  return provider === "openai" ? "responses" : "anthropic";
}

function whole(wire: Wire, body: Fields): Heard {
  const written = [body.content, body.output, body.choices].map(writtenIn);
  const at = [body.created, body.created_at].find((value) => typeof value === "number");
  return {
    ...{ wire, id: text_(body.id), model: text_(body.model), kind: "whole", usage: isFields(body.usage) ? body.usage : null },
    ...{ bytes: written.reduce((sum, bytes) => sum + bytes, 0), ended: true, at: at === undefined ? null : at * 1000 },
  };
}

const part = (wire: Wire, more: Partial<Heard>): Heard => ({
  ...{ wire, id: null, model: null, kind: "part", usage: null, bytes: 0, ended: false, at: null },
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
      return part("anthropic", { ended: true });
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

function writtenIn(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + writtenIn(one), 0);
  if (!isFields(value)) return 0;
  // What a tool is called with is an object in whole messages, and text in streams; a block begins with an empty one.
  const input = isFields(value.input) && Object.keys(value.input).length > 0 ? sizeOf(JSON.stringify(value.input)) : 0;
  const own = words.map((key) => (isText(value[key]) ? sizeOf(value[key]) : writtenIn(value[key])));
  return [...own, ...around.map((key) => writtenIn(value[key]))].reduce((sum, bytes) => sum + bytes, input);
}

/** Names the first count of a usage that is none. */
function oddCount(usage: Fields, path: string): string | null {
  for (const [key, value] of Object.entries(usage)) {
    const name = `${path}.${key}`;
    if (isFields(value)) {
      const odd = oddCount(value, name);
      if (odd) return odd;
    } else if (/tokens(_details)?$/.test(key) && value !== null && !isCount(value)) return `says ${name} is ${JSON.stringify(value)}`;
  }
  return null;
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 100_000_000;
}

/** Milliseconds, or a date in text. */
function timeOf(value: unknown): number | null {
  const at = isText(value) ? Date.parse(value) : typeof value === "number" ? value : Number.NaN;
  return Number.isFinite(at) ? at : null;
}

function sizeOf(value: unknown): number {
  return isText(value) ? new TextEncoder().encode(value).length : 0;
}

function text_(value: unknown): string | null {
  return isText(value) && value !== "" ? value : null;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
