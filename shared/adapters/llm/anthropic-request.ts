/** Our request in the words of the Anthropic Messages API. */
import type { Messages } from "@anthropic-ai/sdk/resources/messages/messages";
import type { Block, ImageBlock, Message, ModelRequest } from "#ports/llm.ts";
import { isOwn, noImage, notThought, type Place } from "./place.ts";
import { thinkingFields } from "./thinking.ts";

type Param = Messages.ContentBlockParam;

const breakpoint = { cache_control: { type: "ephemeral" } } as const;

/**
 * Four cache breakpoints, all that the API allows: the system prompt, the last tool, and the last two user messages
 * (the second finds what the previous call wrote). `place` decides which opaque blocks go along.
 */
export function toMessages(request: ModelRequest, place: Place): Messages.MessageCreateParamsStreaming {
  const last = request.tools.length - 1;
  const { does, quirks } = place;
  return {
    model: place.model,
    max_tokens: request.maxTokens,
    stream: true,
    ...thinkingFields(does.thinking.anthropic, request.thinking, { maxTokens: request.maxTokens, ...quirks }),
    ...(request.system && { system: [{ type: "text", text: request.system, ...breakpoint }] }),
    ...(last >= 0 && {
      tools: request.tools.map((tool, i) => ({
        name: tool.name,
        description: tool.description,
        input_schema: tool.inputSchema as Messages.Tool.InputSchema,
        ...(i === last && breakpoint),
      })),
    }),
    messages: markLastTwo(join(request.messages, place)),
  };
}

interface Turn {
  role: Message["role"];
  content: Param[];
}

/** Neighbours of one role become one message: the results of one step must stand together, before any text. */
function join(messages: readonly Message[], place: Place): Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    const content = message.content.flatMap((block) => toParam(block, place));
    const before = turns.at(-1);
    if (before?.role === message.role) before.content.push(...content);
    else turns.push({ role: message.role, content });
  }
  for (const turn of turns) {
    // An empty message is refused, and a reply that was cut at its first token is one.
    if (turn.content.length === 0) turn.content.push({ type: "text", text: "(nothing)" });
    if (turn.role === "user") turn.content.sort((a, b) => rank(a) - rank(b));
    else if (lacksThinking(turn, place)) turn.content.unshift({ type: "thinking", thinking: notThought, signature: "" });
  }
  return turns;
}

/** What another provider said, or said without thinking, is refused by some. */
function lacksThinking({ content }: Turn, { quirks }: Place): boolean {
  if (!quirks.wantsThinking || content.some((param) => param.type === "thinking" || param.type === "redacted_thinking")) return false;
  return quirks.wantsThinking === "all" || content.some((param) => param.type === "tool_use");
}

function rank(param: Param) {
  return param.type === "tool_result" ? 0 : 1;
}

function toParam(block: Block, place: Place): Param[] {
  switch (block.type) {
    case "text":
      return block.text.trim() === "" ? [] : [{ type: "text", text: block.text }];
    case "image":
      return [toImage(block, place)];
    case "tool_use":
      return [{ type: "tool_use", id: block.id, name: block.name, input: block.input }];
    case "tool_result": {
      const text = block.content || "(empty)";
      const images = (block.images ?? []).map((image) => toImage(image, place));
      const content = images.length > 0 ? [{ type: "text" as const, text }, ...images] : text;
      return [{ type: "tool_result", tool_use_id: block.id, content, ...(block.isError && { is_error: true }) }];
    }
    case "opaque":
      return isOwn(block, place) ? [block.raw as Param] : [];
  }
}

function toImage({ mediaType, data }: ImageBlock, { does }: Place): Messages.TextBlockParam | Messages.ImageBlockParam {
  if (!does.images) return { type: "text", text: noImage };
  return { type: "image", source: { type: "base64", media_type: mediaType, data } };
}

function markLastTwo(turns: Turn[]): Turn[] {
  const users = turns.filter((turn) => turn.role === "user").slice(-2);
  for (const turn of users) {
    const block = turn.content.at(-1);
    if (block) turn.content[turn.content.length - 1] = { ...block, ...breakpoint } as Param;
  }
  return turns;
}
