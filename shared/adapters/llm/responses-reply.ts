/** A whole message out of Responses' events, or nothing. Items count once they are done, and all of them once the response is. */
import { toldUsage } from "#core/wire-usage.ts";
import type { Block } from "#ports/llm.ts";
import { counted, type Fields, fields, incomplete, refuseCallsInText, toCall, toStop } from "./reply.ts";
import type { Assembly } from "./transport.ts";

/** What is replayed as it came: an item of its own (reasoning), or fields of the text that follows (its phase). */
export type ResponsesExtra = { on: "item"; item: Fields } | { on: "text"; fields: Fields };

export function assembleResponse(provider: string, requestedModel: string): Assembly {
  /** By output index; null until it is done. */
  const items = new Map<number, Fields | null>();
  let response: Fields = {};
  let begun = false;
  let end: "completed" | "incomplete" | null = null;

  function wholeItems(): Fields[] {
    // What the end lists is the truth; some servers list nothing there.
    const listed = Array.isArray(response.output) ? response.output.map(fields) : [];
    if (listed.length > 0) return listed;
    const ordered = [...items.entries()].sort(([a], [b]) => a - b);
    return ordered.flatMap(([index, item]) => {
      if (item) return [item];
      // An item that the length limit cut is never done.
      if (end === "incomplete") return [];
      throw incomplete(`its item ${index} was never done`);
    });
  }

  return {
    started: () => begun,
    usage: () => toldUsage("responses", response.usage),
    add(given) {
      const event = fields(given);
      if (typeof event.type !== "string" || !event.type.startsWith("response.")) return;
      begun = true;
      if (event.type === "response.output_item.added") items.set(Number(event.output_index), null);
      if (event.type === "response.output_item.done") items.set(Number(event.output_index), fields(event.item));
      if (typeof event.response !== "object" || event.response === null) return;
      response = fields(event.response);
      if (event.type === "response.completed") end = "completed";
      if (event.type === "response.incomplete") end = "incomplete";
    },
    finish() {
      if (!begun) throw incomplete("nothing of the protocol came");
      if (end === null) throw incomplete("the stream ended before the message did");
      const reason = fields(response.incomplete_details).reason;
      const cut = end === "incomplete" && reason !== "content_filter";
      const content = wholeItems().flatMap((item, i) => toBlocks(item, { provider, spareId: `call_${response.id}_${i}`, cut }));
      refuseCallsInText(content);
      const model = typeof response.model === "string" && response.model ? response.model : requestedModel;
      const refused = reason === "content_filter" || wholeItems().some(isRefusal);
      const usage = counted(toldUsage("responses", response.usage));
      return { content, stop: toStop(content, { cut, refused }), ...usage, provider, model };
    },
  };
}

function toBlocks(item: Fields, how: { provider: string; spareId: string; cut: boolean }): Block[] {
  const opaque = (raw: ResponsesExtra): Block => ({ type: "opaque", provider: how.provider, wire: "responses", raw });
  switch (item.type) {
    case "message": {
      const text = partsOf(item)
        .map((part) => part.text ?? part.refusal ?? "")
        .join("");
      if (!text) return [];
      // Current models say which text is a remark and which the answer, and want to be told again.
      return [...(item.phase ? [opaque({ on: "text", fields: { phase: item.phase } })] : []), { type: "text", text }];
    }
    case "function_call":
      // The length limit fell into it. Not believed even if it can be read.
      if (how.cut && item.status === "incomplete") return [];
      return [toCall({ id: item.call_id, name: item.name, json: String(item.arguments ?? ""), input: undefined }, how.spareId)];
    case "reasoning":
      return [opaque({ on: "item", item })];
    default:
      return [];
  }
}

function isRefusal(item: Fields): boolean {
  return item.type === "message" && partsOf(item).some((part) => part.type === "refusal");
}

function partsOf(item: Fields): Fields[] {
  return Array.isArray(item.content) ? item.content.map(fields) : [];
}
