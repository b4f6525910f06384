/** A request as the stand-in reads it: what was asked last, and what its own calls have brought since. */
import { blocksOf, textOf, type WireRequest } from "./wire.ts";

/** A call of ours and what came of it. */
export interface Step {
  name: string;
  input: Record<string, unknown>;
  result: string;
  isError: boolean;
}

export interface Conversation {
  system: string;
  /** The text that the present work answers. */
  asked: string;
  /** Calls since `asked`, in order. One without a result is left out: it was cut off. */
  steps: Step[];
  tools: ReadonlyMap<string, Schema>;
}

/** The part of a tool's JSON Schema that we fill in. */
export interface Schema {
  properties?: Record<string, { type?: string | string[]; enum?: unknown[] }>;
  required?: string[];
}

/** Headquarters puts before each message when it came, and which task that is over it is about. */
const marksOfMessage = /^\[\d{4}-\d{2}-\d{2} [^\]\n]*\]\n(\[In reply to the card of task [^\n]*\]\n)?/;

/** `from`: the work starts at the owner's last message (a chat), or at the first (a task's order). */
export function readConversation(request: WireRequest, from: "last" | "first"): Conversation {
  const asks = request.messages.flatMap(({ role, content }, at) => {
    const text = role === "user" ? textOf(blocksOf(content)).trim() : "";
    return text ? [{ at, text }] : [];
  });
  const ask = from === "last" ? asks.at(-1) : asks[0];
  const later = request.messages.slice(ask?.at ?? 0).flatMap(({ content }) => blocksOf(content));

  const results = new Map(later.filter((block) => block.type === "tool_result").map((block) => [block.tool_use_id, block]));
  const steps = later.flatMap((block): Step[] => {
    const result = block.type === "tool_use" ? results.get(block.id) : undefined;
    if (!result) return [];
    const input = (block.input ?? {}) as Record<string, unknown>;
    return [{ name: String(block.name), input, result: textOf(result.content), isError: result.is_error === true }];
  });
  return {
    system: textOf(blocksOf(request.system ?? [])),
    asked: ask?.text.replace(marksOfMessage, "") ?? "",
    steps,
    tools: new Map((request.tools ?? []).map((tool) => [tool.name, (tool.input_schema ?? {}) as Schema])),
  };
}

/** `wanted`, cut down to what the schema knows, with something of the right type for whatever else it requires. */
export function fill(schema: Schema | undefined, wanted: Record<string, unknown>): Record<string, unknown> {
  const { properties, required = [] } = schema ?? {};
  if (!properties) return wanted;
  const input = Object.fromEntries(Object.entries(wanted).filter(([key, value]) => key in properties && value !== undefined));
  for (const key of required) {
    if (!(key in input)) input[key] = blank(properties[key]);
  }
  return input;
}

function blank(property: { type?: string | string[]; enum?: unknown[] } | undefined): unknown {
  const types = [property?.type ?? "null"].flat();
  if (property?.enum) return property.enum[0];
  if (types.includes("null")) return null;
  if (types.includes("boolean")) return false;
  if (types.includes("number") || types.includes("integer")) return 0;
  if (types.includes("array")) return [];
  return types.includes("object") ? {} : "";
}
