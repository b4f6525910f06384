/**
 * A whole message out of Chat Completions' chunks, or nothing. Written for what compatible endpoints really send: calls without an index
 * or an id, whole or in pieces, thinking under three names, usage in its own chunk, in the choice, or never.
 */
import { mergeUsage, toldUsage } from "#core/wire-usage.ts";
import type { Block } from "#ports/llm.ts";
import { counted, type Fields, fields, incomplete, type RawCall, refuseCallsInText, toCall, toStop } from "./reply.ts";
import type { Assembly } from "./transport.ts";

/** What is replayed as it came: fields of the call that follows (Gemini's signature), or of the message (thinking, under its name). */
export type ChatExtra =
  | { on: "call"; fields: Fields }
  /** `prefix` stood at the head of the text. */
  | { on: "message"; fields: Fields; prefix?: string };

interface Draft extends RawCall {
  extra: unknown;
}

/** A finish reason that tells of an end that is none: the provider broke off. */
const brokenOff = new Set(["error", "network_error", "insufficient_system_resource", "abort", "malformed_function_call"]);
const cutOff = new Set(["length", "max_tokens", "model_context_window_exceeded"]);
const refused = new Set(["content_filter", "sensitive", "refusal", "safety"]);

export function assembleChat(provider: string, requestedModel: string, how: { thinkInText?: boolean }): Assembly {
  const calls: Draft[] = [];
  const byIndex = new Map<unknown, Draft>();
  const message: Fields = {};
  let counts: Fields = {};
  let model = requestedModel;
  let id = "";
  let text = "";
  let refusal = "";
  let finish: string | null = null;
  let begun = false;

  /** Gemini numbers all calls 0 or none: a name under another id begins a new one. */
  function draftOf(piece: Fields, named: Fields): Draft {
    const known = piece.index === undefined && !named.name ? calls.at(-1) : byIndex.get(piece.index);
    const another = known && named.name && piece.id && known.id !== piece.id;
    if (known && !another && !(piece.index === undefined && named.name)) return known;
    const draft: Draft = { id: piece.id, name: named.name, json: "", input: undefined, extra: undefined };
    calls.push(draft);
    byIndex.set(piece.index, draft);
    return draft;
  }

  function addCall(given: unknown) {
    const piece = fields(given);
    const named = fields(piece.function);
    const draft = draftOf(piece, named);
    draft.id ||= piece.id;
    draft.name ||= named.name;
    draft.extra ??= piece.extra_content;
    if (typeof named.arguments === "string") draft.json += named.arguments;
    else draft.input ??= named.arguments ?? undefined;
  }

  function addDelta(delta: Fields) {
    if (typeof delta.content === "string") text += delta.content;
    if (typeof delta.refusal === "string") refusal += delta.refusal;
    for (const name of ["reasoning_content", "reasoning"]) {
      if (typeof delta[name] === "string") message[name] = `${message[name] ?? ""}${delta[name]}`;
    }
    if (Array.isArray(delta.reasoning_details))
      message.reasoning_details = mergeDetails(message.reasoning_details, delta.reasoning_details);
    if (delta.extra_content) message.extra_content = delta.extra_content;
    if (Array.isArray(delta.tool_calls)) delta.tool_calls.forEach(addCall);
  }

  function thought(): { prefix: string; words: string } {
    const found = how.thinkInText ? /^\s*<think>[\s\S]*?(<\/think>\s*|$)/.exec(text)?.[0] : undefined;
    return { prefix: found ?? "", words: text.slice(found?.length ?? 0) };
  }

  function blocks(cut: boolean): Block[] {
    const { prefix, words } = thought();
    const opaque = (raw: ChatExtra): Block => ({ type: "opaque", provider, wire: "chat", raw });
    const content: Block[] = [];
    if (prefix || Object.keys(message).length > 0) content.push(opaque({ on: "message", fields: message, ...(prefix && { prefix }) }));
    if (words || refusal) content.push({ type: "text", text: words + refusal });
    for (const [i, draft] of calls.entries()) {
      try {
        const call = toCall(draft, `call_${id}_${i}`);
        if (draft.extra) content.push(opaque({ on: "call", fields: { extra_content: draft.extra } }));
        content.push(call);
      } catch (error) {
        // The length limit fell into it: dropped there, and an error elsewhere.
        if (!cut || i < calls.length - 1) throw error;
      }
    }
    return content;
  }

  return {
    started: () => begun,
    usage: () => toldUsage("chat", counts),
    add(given) {
      const chunk = fields(given);
      if (Array.isArray(chunk.choices)) begun = true;
      if (typeof chunk.model === "string" && chunk.model) model = chunk.model;
      if (typeof chunk.id === "string") id = chunk.id;
      counts = mergeUsage(counts, chunk.usage);
      const choice = fields(Array.isArray(chunk.choices) ? chunk.choices.find((one) => !fields(one).index) : null);
      // Kimi tells it here.
      counts = mergeUsage(counts, choice.usage);
      addDelta(fields(choice.delta));
      if (typeof choice.finish_reason === "string" && choice.finish_reason) finish = choice.finish_reason.toLowerCase();
    },
    finish() {
      if (!begun) throw incomplete("nothing of the protocol came");
      if (finish === null) throw incomplete("the stream ended before the message did");
      if (brokenOff.has(finish)) throw incomplete(`the provider broke it off (${finish})`);
      const cut = cutOff.has(finish);
      const content = blocks(cut);
      refuseCallsInText(content);
      const stop = toStop(content, { cut, refused: refused.has(finish) || refusal !== "" });
      return { content, stop, ...counted(toldUsage("chat", counts)), provider, model };
    },
  };
}

/** OpenRouter's and MiniMax's thinking comes in pieces with an index: texts grow, all else is said once. */
function mergeDetails(before: unknown, pieces: readonly unknown[]): Fields[] {
  const details: Fields[] = Array.isArray(before) ? before : [];
  for (const piece of pieces.map(fields)) {
    const last = details.find((detail) => detail.index !== undefined && detail.index === piece.index && detail.type === piece.type);
    if (!last) {
      details.push({ ...piece });
      continue;
    }
    for (const [name, value] of Object.entries(piece)) {
      const grows =
        (name === "text" || name === "summary" || name === "data") && typeof value === "string" && typeof last[name] === "string";
      if (grows) last[name] = `${last[name]}${value}`;
      else if (value !== null && value !== undefined) last[name] = value;
    }
  }
  return details;
}
