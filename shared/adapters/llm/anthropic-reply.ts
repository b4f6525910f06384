/**
 * A whole message out of a stream's events, or nothing. Written for what Anthropic-compatible endpoints really send:
 * blocks are keyed by index, usage may come late, twice, null or not at all, a tool's input may come at once.
 */
import { UacError } from "#core/errors.ts";
import { noUsage, type Usage } from "#core/ledger.ts";
import { mergeUsage, toldUsage } from "#core/wire-usage.ts";
import type { Block, ModelReply } from "#ports/llm.ts";

/** What arrives is not trusted to have the SDK's types. */
export type WireEvent = { type?: unknown; [key: string]: unknown };
type Fields = Record<string, unknown>;

interface Draft {
  raw: Fields;
  json: string;
}

export interface Assembly {
  add(event: WireEvent): void;
  started(): boolean;
  usage(): Usage | null;
  /** Throws `llm_incomplete` unless the message ended as the protocol says. */
  finish(): ModelReply;
}

export function assemble(provider: string, requestedModel: string): Assembly {
  const drafts = new Map<number, Draft>();
  let counts: Fields = {};
  let model = requestedModel;
  let stop: string | null = null;
  let begun = false;
  let ended = false;

  const draftAt = (event: WireEvent) => {
    const draft = drafts.get(Number(event.index));
    if (!draft) throw incomplete(`it continued block ${event.index}, which it never began`);
    return draft;
  };

  return {
    started: () => begun,
    usage: () => toldUsage("anthropic", counts)?.usage ?? null,
    add(event) {
      switch (event.type) {
        case "message_start": {
          begun = true;
          const message = fields(event.message);
          if (typeof message.model === "string" && message.model) model = message.model;
          counts = mergeUsage(counts, message.usage);
          break;
        }
        case "content_block_start":
          if (drafts.has(Number(event.index))) throw incomplete(`it began block ${event.index} twice`);
          drafts.set(Number(event.index), { raw: { ...fields(event.content_block) }, json: "" });
          break;
        case "content_block_delta":
          extend(draftAt(event), fields(event.delta));
          break;
        case "message_delta": {
          const reason = fields(event.delta).stop_reason;
          if (typeof reason === "string") stop = reason;
          counts = mergeUsage(counts, event.usage);
          break;
        }
        case "message_stop":
          ended = true;
      }
    },
    finish() {
      if (!begun) throw incomplete("nothing of the protocol came");
      if (!ended) throw incomplete("the stream ended before the message did");
      const cut = stop === "max_tokens" || stop === "model_context_window_exceeded";
      const ordered = [...drafts.entries()].sort(([a], [b]) => a - b).map(([, draft]) => draft);
      const content = ordered.flatMap((draft, i) => toBlock(draft, provider, cut && i === ordered.length - 1));
      const usage = toldUsage("anthropic", counts);
      return {
        content,
        stop: toStop(stop, cut, content),
        usage: usage?.usage ?? noUsage,
        usageSource: usage?.source ?? "missing",
        model,
      };
    },
  };
}

function extend(draft: Draft, delta: Fields) {
  const append = (key: string) => {
    draft.raw[key] = `${draft.raw[key] ?? ""}${delta[key] ?? ""}`;
  };
  switch (delta.type) {
    case "text_delta":
      return append("text");
    case "thinking_delta":
      return append("thinking");
    case "signature_delta":
      draft.raw.signature = delta.signature;
      return;
    case "input_json_delta":
      draft.json += delta.partial_json ?? "";
  }
}

/** `cutHere`: the length limit fell into this block, so a tool call that can't be read is dropped, not an error. */
function toBlock(draft: Draft, provider: string, cutHere: boolean): Block[] {
  const { raw } = draft;
  if (raw.type === "text") return [{ type: "text", text: String(raw.text ?? "") }];
  if (raw.type !== "tool_use") return [{ type: "opaque", provider, raw: draft.json ? { ...raw, input: toInput(draft) } : raw }];
  try {
    const { id, name } = raw;
    if (typeof id !== "string" || !id || typeof name !== "string" || !name) throw incomplete("a tool call has no id or no name");
    return [{ type: "tool_use", id, name, input: toInput(draft) }];
  } catch (error) {
    if (cutHere) return [];
    throw error;
  }
}

function toInput({ raw, json }: Draft): Fields {
  let input: unknown = raw.input ?? {};
  if (json.trim()) {
    try {
      input = JSON.parse(json);
    } catch (cause) {
      throw incomplete(`the input of the tool call ${raw.name} is not one JSON value`, cause);
    }
  }
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw incomplete(`the input of the tool call ${raw.name} is not an object`);
  }
  return input as Fields;
}

/** Some endpoints say `end_turn` beside a tool call, or `tool_use` without one: the content decides. */
function toStop(stop: string | null, cut: boolean, content: Block[]): ModelReply["stop"] {
  if (stop === "refusal") return "refusal";
  if (cut) return "max_tokens";
  return content.some((block) => block.type === "tool_use") ? "tool_use" : "end";
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

export function incomplete(why: string, cause?: unknown): UacError {
  return new UacError("llm_incomplete", `The model's reply is not whole: ${why}.`, { cause });
}
