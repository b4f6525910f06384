/** What OpenAI's two wires have in common, server side. */
import * as z from "zod";
import type { WireBlock, WireMessage, WireRequest, WireUsage } from "../wire.ts";
import type { Refusal } from "./served-wire.ts";

const part = z.looseObject({ type: z.string(), text: z.string().optional() });
export const content = z.union([z.string(), z.array(part)]);
export type Content = z.infer<typeof content>;

/** What we send for a tool's result that is an error: these wires have no mark for one. */
const errorMark = "Error: ";

export function resultBlock(id: string, output: Content): WireBlock {
  const text = textIn(output);
  const isError = text.startsWith(errorMark);
  return {
    type: "tool_result",
    tool_use_id: id,
    content: isError ? text.slice(errorMark.length) : text,
    ...(isError && { is_error: true }),
  };
}

/** Throws a ZodError where the arguments are no JSON object, as our own always are. */
export function callBlock(id: string, name: string, json: string): WireBlock {
  const input = z
    .string()
    .transform((text, issues) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        issues.addIssue({ code: "custom", message: `the arguments of ${name} are not JSON` });
        return z.NEVER;
      }
    })
    .parse(json);
  return { type: "tool_use", id, name, input };
}

export function textBlocks(given: Content): WireBlock[] {
  if (typeof given === "string") return given ? [{ type: "text", text: given }] : [];
  return given.map((one) => (one.text === undefined ? { type: "image" } : { type: "text", text: one.text }));
}

function textIn(given: Content): string {
  return typeof given === "string" ? given : given.map(({ text = "" }) => text).join("");
}

/** `messages`, where those of one role that follow one another are one. */
export function joined(messages: WireRequest["messages"]): WireRequest["messages"] {
  const whole: WireRequest["messages"] = [];
  for (const { role, content: blocks } of messages) {
    const last = whole.at(-1);
    if (last?.role === role && Array.isArray(last.content) && Array.isArray(blocks)) last.content.push(...blocks);
    else whole.push({ role, content: blocks });
  }
  return whole;
}

export function textOfReply(message: WireMessage): string {
  return message.content.map((block) => (block.type === "text" ? String(block.text) : "")).join("");
}

export function callsOf(message: WireMessage): { id: string; name: string; input: unknown }[] {
  return message.content.flatMap(({ type, id, name, input }) =>
    type === "tool_use" ? [{ id: String(id), name: String(name), input }] : [],
  );
}

/** Input and what of it was cached are told as a whole and a part of it. */
export function inputOf(usage: WireUsage): { input: number; cached: number } {
  const { input_tokens, cache_read_input_tokens: cached, cache_creation_input_tokens: written } = usage;
  return { input: input_tokens + cached + written, cached };
}

export function openAiError({ type, message, code }: Refusal) {
  return { error: { message, type, param: null, code: code ?? null } };
}
