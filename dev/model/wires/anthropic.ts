/** Anthropic Messages, server side. */
import { requestSchema, type WireMessage } from "../wire.ts";
import { type Frame, pieces, type Refusal, type ServedWire, type Spoiling, unspoilt } from "./served-wire.ts";

export const anthropicWire: ServedWire = {
  path: "/v1/messages",
  caches: "marks",
  lacks: (headers) => (headers["anthropic-version"] ? null : "anthropic-version: header is required"),
  read: (body) => requestSchema.parse(body),
  whole: (message, { untold }) => (untold ? { ...message, usage: undefined } : message),
  frames: function* (message, spoiling) {
    for (const [event, data] of toEvents(message, spoiling)) yield { event, data: { type: event, ...(data as object) } };
  },
  refusal: ({ type, message, code }, request_id) => ({ type: "error", error: { type, message, ...(code && { code }) }, request_id }),
  refusalFrame: (refusal: Refusal, requestId: string): Frame => ({ event: "error", data: anthropicWire.refusal(refusal, requestId) }),
};

/** The stream of a message, one `[event, data]` pair each. */
export function* toEvents(message: WireMessage, spoiling: Spoiling = unspoilt): Generator<[string, unknown]> {
  const { usage, ...rest } = message;
  const told = (figures: object) => (spoiling.untold ? {} : { usage: figures });
  yield ["message_start", { message: { ...rest, content: [], stop_reason: null, ...told({ ...usage, output_tokens: 1 }) } }];
  yield ["ping", {}];
  for (const [at, block] of message.content.entries()) {
    const index = spoiling.index(at);
    if (block.type === "text") {
      yield ["content_block_start", { index, content_block: { type: "text", text: "" } }];
      for (const text of pieces(String(block.text), 24)) yield ["content_block_delta", { index, delta: { type: "text_delta", text } }];
    } else {
      yield ["content_block_start", { index, content_block: { ...block, input: {} } }];
      for (const partial_json of pieces(spoiling.json(JSON.stringify(block.input)), 48)) {
        yield ["content_block_delta", { index, delta: { type: "input_json_delta", partial_json } }];
      }
    }
    yield ["content_block_stop", { index }];
  }
  const { cache_creation: _, ...counted } = usage;
  yield ["message_delta", { delta: { stop_reason: message.stop_reason, stop_sequence: null }, ...told(counted) }];
  yield ["message_stop", {}];
}
