/** Our request in the words of OpenAI's Responses. Nothing is kept there: each call holds the whole conversation. */
import type OpenAI from "openai";
import type { Block, Message, ModelRequest } from "#ports/llm.ts";
import { isOwn, noImage, type Place } from "./place.ts";
import type { ResponsesExtra } from "./responses-reply.ts";
import { thinkingFields } from "./thinking.ts";

type Item = OpenAI.Responses.ResponseInputItem;
type Part = OpenAI.Responses.ResponseInputText | OpenAI.Responses.ResponseInputImage;

export function toResponses(request: ModelRequest, place: Place): OpenAI.Responses.ResponseCreateParamsStreaming {
  const items = request.messages.flatMap((message) => (message.role === "user" ? user(message, place) : assistant(message, place)));
  return {
    model: place.model,
    input: items,
    max_output_tokens: request.maxTokens,
    stream: true,
    store: false,
    // Since nothing is stored, thinking comes back only in what we send, and it is sent encrypted.
    include: ["reasoning.encrypted_content"],
    ...(request.system && { instructions: request.system }),
    ...(request.tools.length > 0 && {
      tools: request.tools.map(({ name, description, inputSchema }) => ({
        type: "function" as const,
        name,
        description,
        parameters: inputSchema,
        // Strict schemas must require every property; ours have optional ones.
        strict: false,
      })),
    }),
    ...thinkingFields(place.does.thinking.responses, request.thinking, { maxTokens: request.maxTokens, ...place.quirks }),
  };
}

function user({ content }: Message, place: Place): Item[] {
  const results = content.flatMap((block): Item[] => {
    if (block.type !== "tool_result") return [];
    const output = block.content || "(empty)";
    return [{ type: "function_call_output", call_id: block.id, output: block.isError ? `Error: ${output}` : output }];
  });
  const parts = content.flatMap((block) => toParts(block, place));
  if (parts.length > 0) return [...results, { role: "user", content: parts }];
  return results.length > 0 ? results : [{ role: "user", content: "(nothing)" }];
}

/** Not everyone who speaks this wire takes lists as a result: its images are the user's, right after the results. */
function toParts(block: Block, place: Place): Part[] {
  if (block.type === "text") return block.text.trim() === "" ? [] : [{ type: "input_text", text: block.text }];
  if (block.type === "tool_result") {
    const { content, images = [] } = block;
    return images.flatMap((image): Part[] => [{ type: "input_text", text: `[the image of: ${content}]` }, ...toParts(image, place)]);
  }
  if (block.type !== "image") return [];
  if (!place.does.images) return [{ type: "input_text", text: noImage }];
  return [{ type: "input_image", image_url: `data:${block.mediaType};base64,${block.data}`, detail: "auto" }];
}

/** In the order that they came in: a reasoning item is refused unless what it led to follows. */
function assistant({ content }: Message, place: Place): Item[] {
  let ofText: Record<string, unknown> = {};
  const items = content.flatMap((block): Item[] => {
    switch (block.type) {
      case "opaque": {
        if (!isOwn(block, place)) return [];
        const extra = block.raw as ResponsesExtra;
        if (extra.on === "item") return [extra.item as unknown as Item];
        ofText = extra.fields;
        return [];
      }
      case "text": {
        const fields = ofText;
        ofText = {};
        return block.text.trim() === "" ? [] : [{ role: "assistant", content: block.text, ...fields }];
      }
      case "tool_use":
        return [toCall(block)];
      default:
        return [];
    }
  });
  return items.length > 0 ? items : [{ role: "assistant", content: "(nothing)" }];
}

function toCall({ id, name, input }: Extract<Block, { type: "tool_use" }>): Item {
  return { type: "function_call", call_id: id, name, arguments: JSON.stringify(input) };
}
