/** What the assemblies of the three wires share: how a tool call is believed, and what makes a message not whole. */
import { UacError } from "#core/errors.ts";
import { noUsage } from "#core/ledger.ts";
import type { ToldUsage } from "#core/wire-usage.ts";
import type { Block, ModelReply } from "#ports/llm.ts";

/** What arrives is not trusted to have the SDK's types. */
export type Fields = Record<string, unknown>;

export function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

export function incomplete(why: string, cause?: unknown): UacError {
  return new UacError("llm_incomplete", `The model's reply is not whole: ${why}.`, { cause });
}

/** As it came: the input in pieces of JSON, or at once. */
export interface RawCall {
  id: unknown;
  name: unknown;
  json: string;
  /** Believed where `json` is empty. */
  input: unknown;
}

/** Throws `llm_incomplete` unless it is one call with one object. `spareId`: for providers that give none. */
export function toCall({ id, name, json, input }: RawCall, spareId: string): Block {
  if (typeof name !== "string" || !name) throw incomplete("a tool call has no name");
  return { type: "tool_use", id: typeof id === "string" && id ? id : spareId, name, input: toInput(name, json, input) };
}

export function toInput(name: unknown, json: string, eager: unknown): Fields {
  let input: unknown = eager ?? {};
  if (json.trim()) {
    try {
      input = JSON.parse(json);
    } catch (cause) {
      throw incomplete(`the input of the tool call ${name} is not one JSON value`, cause);
    }
  }
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw incomplete(`the input of the tool call ${name} is not an object`);
  }
  // GLM's own notation of arguments, where its provider failed to read it: `{"path</arg_key>…": …}`.
  if (Object.keys(input).some((key) => /<\/?arg_(key|value)>/.test(key))) {
    throw incomplete(`the input of the tool call ${name} is markup`);
  }
  return input as Fields;
}

/** A call that the model wrote as text (GLM) would end a run as if it were an answer. */
export function refuseCallsInText(content: readonly Block[]): void {
  if (content.some((block) => block.type === "tool_use")) return;
  const last = content.findLast((block) => block.type === "text");
  if (last?.type === "text" && /^<tool_call>[\w.-]+\s*<arg_key>[\s\S]*<\/tool_call>\s*$/m.test(last.text)) {
    throw incomplete("it wrote a tool call as text");
  }
}

/** Some endpoints say that a turn ended beside a tool call, or that a tool is called without one: the content decides. */
export function toStop(content: readonly Block[], told: { cut: boolean; refused: boolean }): ModelReply["stop"] {
  if (told.refused) return "refusal";
  if (told.cut) return "max_tokens";
  return content.some((block) => block.type === "tool_use") ? "tool_use" : "end";
}

export function counted(told: ToldUsage | null): Pick<ModelReply, "usage" | "usageSource"> {
  return { usage: told?.usage ?? noUsage, usageSource: told?.source ?? "missing" };
}
