/** OpenAI's Responses, server side. */
import * as z from "zod";
import { newId, type WireMessage, type WireRequest, type WireUsage } from "../wire.ts";
import { callBlock, callsOf, content, inputOf, joined, openAiError, resultBlock, textBlocks, textOfReply } from "./openai.ts";
import { type Frame, pieces, type ServedWire, type Spoiling } from "./served-wire.ts";

const item = z.union([
  z.object({ type: z.literal("function_call"), call_id: z.string(), name: z.string(), arguments: z.string() }),
  z.object({ type: z.literal("function_call_output"), call_id: z.string(), output: content }),
  z.object({ type: z.literal("reasoning") }),
  z.object({ type: z.literal("message").optional(), role: z.enum(["user", "assistant", "system", "developer"]), content }),
]);

const requestSchema = z.looseObject({
  model: z.string().min(1),
  instructions: z.string().nullish(),
  max_output_tokens: z.int().positive().nullish(),
  stream: z.boolean().nullish(),
  tools: z.array(z.looseObject({ type: z.literal("function"), name: z.string(), parameters: z.looseObject({}).nullish() })).optional(),
  input: z.union([z.string(), z.array(item).min(1)]),
});

/** As if there were no limit. */
const unsaidMaxTokens = 8192;

export const responsesWire: ServedWire = {
  path: "/v1/responses",
  caches: "itself",
  lacks: () => null,
  read(body): WireRequest {
    const request = requestSchema.parse(body);
    const items = typeof request.input === "string" ? [{ role: "user" as const, content: request.input }] : request.input;
    const inside = items.flatMap((one) =>
      "role" in one && (one.role === "system" || one.role === "developer") ? textBlocks(one.content) : [],
    );
    const system = [...textBlocks(request.instructions ?? ""), ...inside];
    const tools = request.tools?.map(({ name, parameters }) => ({ name, ...(parameters && { input_schema: parameters }) }));
    return {
      model: request.model,
      max_tokens: request.max_output_tokens ?? unsaidMaxTokens,
      stream: request.stream === true,
      ...(system.length > 0 && { system }),
      ...(tools && { tools }),
      messages: joined(items.flatMap(toMessages)),
    };
  },
  whole: (reply, spoiling) => toResponse(reply, itemsOf(reply, spoiling), spoiling),
  *frames(reply, spoiling) {
    let sequence_number = 0;
    const event = (type: string, data: object): Frame => ({ event: type, data: { type, sequence_number: sequence_number++, ...data } });
    const items = itemsOf(reply, spoiling);
    const begun = { ...toResponse(reply, [], { ...spoiling, untold: true }), status: "in_progress" };
    yield event("response.created", { response: begun });
    yield event("response.in_progress", { response: begun });
    for (const [at, one] of items.entries()) {
      const where = { item_id: one.id, output_index: spoiling.index(at) };
      const { output_index } = where;
      if (one.type === "message") {
        const [said] = one.content;
        const inPart = { ...where, content_index: 0 };
        const kind = said.type === "refusal" ? "refusal" : "output_text";
        const text = said.type === "refusal" ? said.refusal : said.text;
        yield event("response.output_item.added", { output_index, item: { ...one, status: "in_progress", content: [] } });
        yield event("response.content_part.added", { ...inPart, part: partOf(kind, "") });
        for (const delta of pieces(text, 24)) yield event(`response.${kind}.delta`, { ...inPart, delta });
        yield event(`response.${kind}.done`, { ...inPart, [kind === "refusal" ? "refusal" : "text"]: text });
        yield event("response.content_part.done", { ...inPart, part: said });
      } else {
        yield event("response.output_item.added", { output_index, item: { ...one, status: "in_progress", arguments: "" } });
        for (const delta of pieces(one.arguments, 48)) yield event("response.function_call_arguments.delta", { ...where, delta });
        yield event("response.function_call_arguments.done", { ...where, arguments: one.arguments });
      }
      yield event("response.output_item.done", { output_index, item: one });
    }
    yield event("response.completed", { response: toResponse(reply, items, spoiling) });
  },
  refusal: (refusal) => openAiError(refusal),
  refusalFrame: ({ type, message }) => ({ event: "error", data: { type: "error", code: type, message, param: null, sequence_number: 0 } }),
};

function toMessages(given: z.infer<typeof item>): WireRequest["messages"] {
  if ("role" in given) {
    if (given.role === "system" || given.role === "developer") return [];
    return [{ role: given.role, content: textBlocks(given.content) }];
  }
  if (given.type === "function_call") {
    return [{ role: "assistant", content: [callBlock(given.call_id, given.name, given.arguments)] }];
  }
  return given.type === "function_call_output" ? [{ role: "user", content: [resultBlock(given.call_id, given.output)] }] : [];
}

function partOf(kind: "output_text" | "refusal", text: string) {
  return kind === "refusal" ? { type: kind, refusal: text } : { type: kind, text, annotations: [] };
}

function itemsOf(reply: WireMessage, spoiling: Spoiling) {
  const text = textOfReply(reply);
  const kind = reply.stop_reason === "refusal" ? "refusal" : "output_text";
  const said = {
    type: "message" as const,
    id: newId("msg"),
    status: "completed",
    role: "assistant",
    content: [partOf(kind, text)] as const,
  };
  const calls = callsOf(reply).map(({ id, name, input }) => ({
    ...{ type: "function_call" as const, id: newId("fc"), status: "completed", call_id: id, name },
    arguments: spoiling.json(JSON.stringify(input)),
  }));
  return [...(text ? [said] : []), ...calls];
}

function toResponse({ id, model, usage }: WireMessage, output: object[], { untold }: Spoiling) {
  return {
    id: id.replace(/^msg/, "resp"),
    object: "response",
    created_at: Math.floor(Date.now() / 1000),
    status: "completed",
    error: null,
    incomplete_details: null,
    model,
    output,
    ...(!untold && { usage: toUsage(usage) }),
  };
}

function toUsage(usage: WireUsage) {
  const { input, cached } = inputOf(usage);
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: usage.output_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + usage.output_tokens,
  };
}
