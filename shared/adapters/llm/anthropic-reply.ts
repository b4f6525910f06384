/**
 * A whole message out of a stream's events, or nothing. Written for what Anthropic-compatible endpoints really send:
 * blocks are keyed by index, usage may come late, twice, null or not at all, a tool's input may come at once.
 */
import { mergeUsage, toldUsage } from "#core/wire-usage.ts";
import type { Block } from "#ports/llm.ts";
import { counted, type Fields, fields, incomplete, refuseCallsInText, toCall, toInput, toStop } from "./reply.ts";
import type { Assembly } from "./transport.ts";

interface Draft {
  raw: Fields;
  json: string;
}

export function assembleMessage(provider: string, requestedModel: string): Assembly {
  const drafts = new Map<number, Draft>();
  let counts: Fields = {};
  let model = requestedModel;
  let id = "";
  let stop: string | null = null;
  let begun = false;
  let ended = false;

  const draftAt = (event: Fields) => {
    const draft = drafts.get(Number(event.index));
    if (!draft) throw incomplete(`it continued block ${event.index}, which it never began`);
    return draft;
  };

  return {
    started: () => begun,
    usage: () => toldUsage("anthropic", counts),
    add(given) {
      const event = fields(given);
      switch (event.type) {
        case "message_start": {
          begun = true;
          const message = fields(event.message);
          if (typeof message.id === "string") id = message.id;
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
      const content = ordered.flatMap((draft, i) => {
        // The length limit fell into the last block: a call that can't be read is dropped there, and an error elsewhere.
        return toBlock(draft, { provider, spareId: `call_${id}_${i}`, cutHere: cut && i === ordered.length - 1 });
      });
      refuseCallsInText(content);
      return {
        content,
        stop: toStop(content, { cut, refused: stop === "refusal" }),
        ...counted(toldUsage("anthropic", counts)),
        provider,
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

function toBlock({ raw, json }: Draft, how: { provider: string; spareId: string; cutHere: boolean }): Block[] {
  if (raw.type === "text") return [{ type: "text", text: String(raw.text ?? "") }];
  if (raw.type !== "tool_use") {
    const whole = json ? { ...raw, input: toInput(raw.name, json, raw.input) } : raw;
    return [{ type: "opaque", provider: how.provider, wire: "anthropic", raw: whole }];
  }
  try {
    return [toCall({ id: raw.id, name: raw.name, json, input: raw.input }, how.spareId)];
  } catch (error) {
    if (how.cutHere) return [];
    throw error;
  }
}
