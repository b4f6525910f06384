/** Which way of changing files a model was trained on. */
import type { Endpoint } from "./endpoint.ts";

/** OpenAI's since GPT-4.1, wherever they run: `gpt-5.6-sol`, `openai/gpt-5.4-codex`, `gpt-oss:120b`, `codex-mini`, `o4-mini`. */
const patchers = /(^|\/)(gpt-(4\.1|[5-9]|\d\d|oss)|codex|o[3-9])(\W|$)/i;

/** The tool names of a VP without the one of `edit` and `apply_patch` that its model does worse with. */
export function toolsFor(names: readonly string[], { model }: Pick<Endpoint, "model">): string[] {
  const without = patchers.test(model) ? "edit" : "apply_patch";
  return names.filter((name) => name !== without);
}
