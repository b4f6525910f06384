/** OpenAI's Chat Completions, server side. */
import * as z from "zod";
import type { WireBlock, WireMessage, WireRequest, WireUsage } from "../wire.ts";
import { callBlock, callsOf, content, inputOf, joined, openAiError, resultBlock, textBlocks, textOfReply } from "./openai.ts";
import { type Frame, pieces, type ServedWire, type Spoiling } from "./served-wire.ts";

const call = z.looseObject({
  id: z.string(),
  type: z.literal("function"),
  function: z.object({ name: z.string(), arguments: z.string() }),
});
const message = z.discriminatedUnion("role", [
  z.looseObject({ role: z.enum(["system", "developer"]), content }),
  z.looseObject({ role: z.literal("user"), content }),
  z.looseObject({ role: z.literal("assistant"), content: content.nullish(), tool_calls: z.array(call).optional() }),
  z.looseObject({ role: z.literal("tool"), tool_call_id: z.string(), content }),
]);

const requestSchema = z.looseObject({
  model: z.string().min(1),
  max_tokens: z.int().positive().optional(),
  max_completion_tokens: z.int().positive().optional(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  tools: z
    .array(
      z.looseObject({
        type: z.literal("function"),
        function: z.looseObject({ name: z.string(), parameters: z.looseObject({}).optional() }),
      }),
    )
    .optional(),
  messages: z.array(message).min(1),
});

/** As if there were no limit. */
const unsaidMaxTokens = 8192;

export const chatWire: ServedWire = {
  path: "/v1/chat/completions",
  caches: "itself",
  lacks: () => null,
  read(body): WireRequest {
    const request = requestSchema.parse(body);
    const system = request.messages.flatMap((one) => (one.role === "system" || one.role === "developer" ? textBlocks(one.content) : []));
    const tools = request.tools?.map(({ function: { name, parameters } }) => ({ name, ...(parameters && { input_schema: parameters }) }));
    return {
      model: request.model,
      max_tokens: request.max_completion_tokens ?? request.max_tokens ?? unsaidMaxTokens,
      stream: request.stream === true,
      ...(system.length > 0 && { system }),
      ...(tools && { tools }),
      messages: joined(request.messages.flatMap(toMessages)),
    };
  },
  whole: (reply, spoiling) => ({
    ...headOf(reply, "chat.completion"),
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: reply.stop_reason === "refusal" ? null : textOfReply(reply) || null,
          refusal: reply.stop_reason === "refusal" ? textOfReply(reply) : null,
          ...(callsOf(reply).length > 0 && { tool_calls: callsOf(reply).map((one) => toCall(one, spoiling)) }),
        },
        logprobs: null,
        finish_reason: finishOf(reply),
      },
    ],
    ...(!spoiling.untold && { usage: toUsage(reply.usage) }),
  }),
  *frames(reply, spoiling, body) {
    const chunk = (delta: object, finish_reason: string | null = null): Frame => ({
      data: { ...headOf(reply, "chat.completion.chunk"), choices: [{ index: 0, delta, logprobs: null, finish_reason }] },
    });
    yield chunk({ role: "assistant", content: "" });
    const name = reply.stop_reason === "refusal" ? "refusal" : "content";
    for (const text of pieces(textOfReply(reply), 24)) yield chunk({ [name]: text });
    for (const [at, one] of callsOf(reply).entries()) {
      const index = spoiling.index(at);
      const { function: named, ...head } = toCall(one, spoiling);
      yield chunk({ tool_calls: [{ index, ...head, function: { name: named.name, arguments: "" } }] });
      for (const piece of pieces(named.arguments, 48)) yield chunk({ tool_calls: [{ index, function: { arguments: piece } }] });
    }
    yield chunk({}, finishOf(reply));
    const isAsked = requestSchema.parse(body).stream_options?.include_usage === true;
    if (isAsked && !spoiling.untold)
      yield { data: { ...headOf(reply, "chat.completion.chunk"), choices: [], usage: toUsage(reply.usage) } };
    yield { data: "[DONE]" };
  },
  refusal: (refusal) => openAiError(refusal),
  // As OpenRouter does: the status that it would have been stands in the code.
  refusalFrame: ({ status, message: text, ...refusal }) => ({ data: { error: { message: text, type: refusal.type, code: status } } }),
};

function toMessages(given: z.infer<typeof message>): WireRequest["messages"] {
  switch (given.role) {
    case "user":
      return [{ role: "user", content: textBlocks(given.content) }];
    case "tool":
      return [{ role: "user", content: [resultBlock(given.tool_call_id, given.content)] }];
    case "assistant": {
      const calls = given.tool_calls?.map((one): WireBlock => callBlock(one.id, one.function.name, one.function.arguments)) ?? [];
      return [{ role: "assistant", content: [...textBlocks(given.content ?? ""), ...calls] }];
    }
    default:
      return [];
  }
}

function headOf({ id, model }: WireMessage, object: string) {
  return { id: id.replace(/^msg/, "chatcmpl"), object, created: Math.floor(Date.now() / 1000), model };
}

function toCall({ id, name, input }: ReturnType<typeof callsOf>[number], spoiling: Spoiling) {
  return { id, type: "function", function: { name, arguments: spoiling.json(JSON.stringify(input)) } };
}

function finishOf(reply: WireMessage): string {
  return callsOf(reply).length > 0 ? "tool_calls" : "stop";
}

function toUsage(usage: WireUsage) {
  const { input, cached } = inputOf(usage);
  return {
    prompt_tokens: input,
    completion_tokens: usage.output_tokens,
    total_tokens: input + usage.output_tokens,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens_details: { reasoning_tokens: 0 },
  };
}
