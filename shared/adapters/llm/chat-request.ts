/** Our request in the words of OpenAI's Chat Completions, with what other providers add to them. */
import type OpenAI from "openai";
import type { Block, Message, ModelRequest } from "#ports/llm.ts";
import type { ChatExtra } from "./chat-reply.ts";
import { isOwn, noImage, notThought, type Place } from "./place.ts";
import { thinkingFields } from "./thinking.ts";

type Param = OpenAI.Chat.ChatCompletionMessageParam;
type Part = OpenAI.Chat.ChatCompletionContentPartText | OpenAI.Chat.ChatCompletionContentPartImage;

const breakpoint = { cache_control: { type: "ephemeral" } } as const;

/**
 * Marks for the cache are sent where it needs them (`marksFor`), on the system prompt and the last two messages of the user's own; everyone
 * else caches by itself, or not at all.
 */
export function toChat(request: ModelRequest, place: Place): OpenAI.Chat.ChatCompletionCreateParamsStreaming {
  const { does, quirks, model } = place;
  const marked = quirks.marksFor !== undefined && model.startsWith(quirks.marksFor);
  const messages = request.messages.flatMap((message) => toParams(message, place));
  if (marked) markLastTwo(messages);
  const system: Param[] = request.system
    ? [{ role: "system", content: marked ? [{ type: "text", text: request.system, ...breakpoint }] : request.system }]
    : [];
  return {
    model,
    messages: [...system, ...messages],
    [quirks.outputLimit ?? "max_tokens"]: request.maxTokens,
    stream: true,
    // Without it a stream does not say what it used.
    stream_options: { include_usage: true },
    ...(request.tools.length > 0 && {
      tools: request.tools.map(({ name, description, inputSchema }) => ({
        type: "function" as const,
        function: { name, description, parameters: inputSchema },
      })),
    }),
    ...(quirks.splitsReasoning && { reasoning_split: true }),
    ...thinkingFields(does.thinking.chat, request.thinking, { maxTokens: request.maxTokens, ...quirks }),
  };
}

function toParams(message: Message, place: Place): Param[] {
  if (message.role === "assistant") return [assistant(message.content, place)];
  // The results of a step stand directly behind its calls, each a message; what the user adds comes after.
  const results = message.content.flatMap((block): Param[] => (block.type === "tool_result" ? [result(block)] : []));
  const parts = message.content.flatMap((block) => toParts(block, place));
  if (parts.length > 0) return [...results, { role: "user", content: plain(parts) }];
  return results.length > 0 ? results : [{ role: "user", content: "(nothing)" }];
}

/** This wire has no mark for a result that is an error. */
function result({ id, content, isError }: Extract<Block, { type: "tool_result" }>): Param {
  const text = content || "(empty)";
  return { role: "tool", tool_call_id: id, content: isError ? `Error: ${text}` : text };
}

/** Results are texts on this wire: their images are the user's, right after them. */
function toParts(block: Block, place: Place): Part[] {
  const { does } = place;
  if (block.type === "text") return block.text.trim() === "" ? [] : [{ type: "text", text: block.text }];
  if (block.type === "tool_result") {
    const { content, images = [] } = block;
    return images.flatMap((image): Part[] => [{ type: "text", text: `[the image of: ${content}]` }, ...toParts(image, place)]);
  }
  if (block.type !== "image") return [];
  if (!does.images) return [{ type: "text", text: noImage }];
  return [{ type: "image_url", image_url: { url: `data:${block.mediaType};base64,${block.data}` } }];
}

/** One text is sent as a string: not everyone reads lists. */
function plain(parts: Part[]): string | Part[] {
  const [first] = parts;
  return parts.length === 1 && first?.type === "text" ? first.text : parts;
}

/** The provider's own extras go back where they were: on the call that follows them, or on the message. */
function assistant(content: readonly Block[], place: Place): Param {
  const calls: OpenAI.Chat.ChatCompletionMessageToolCall[] = [];
  const texts: string[] = [];
  let extras: Record<string, unknown> = {};
  let ofCall: Record<string, unknown> = {};
  let prefix = "";
  for (const block of content) {
    if (block.type === "text" && block.text.trim() !== "") texts.push(block.text);
    if (block.type === "opaque" && isOwn(block, place)) {
      const extra = block.raw as ChatExtra;
      if (extra.on === "call") ofCall = extra.fields;
      else extras = { ...extras, ...extra.fields };
      if (extra.on === "message") prefix = extra.prefix ?? prefix;
    }
    if (block.type === "tool_use") {
      const call = { name: block.name, arguments: JSON.stringify(block.input) };
      calls.push({ id: block.id, type: "function", function: call, ...ofCall });
      ofCall = {};
    }
  }
  const text = prefix + texts.join("\n\n");
  const wants = place.quirks.wantsThinking;
  const lacks = (wants === "all" || (wants === "tools" && calls.length > 0)) && !extras.reasoning_content;
  return {
    role: "assistant",
    content: text || (calls.length > 0 ? null : "(nothing)"),
    ...(lacks && { reasoning_content: notThought }),
    ...extras,
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

function markLastTwo(messages: Param[]): void {
  for (const message of messages.filter(({ role }) => role === "user").slice(-2)) {
    const parts: Part[] = typeof message.content === "string" ? [{ type: "text", text: message.content }] : (message.content as Part[]);
    message.content = parts.map((part, i) => (i === parts.length - 1 ? { ...part, ...breakpoint } : part));
  }
}
