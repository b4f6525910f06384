/**
 * Text that was cut through a character (a long line, an output's end, a model's own slip) ends in half of a surrogate pair. JSON tells it as
 * an escape that providers refuse as no JSON, and since it stays in the transcript, they would refuse every later request of the run.
 */
import type { Block, ModelRequest } from "#ports/llm.ts";

/** The same request, with a replacement mark for every half character. What a provider gave us of its own goes back as it came. */
export function wellFormed(request: ModelRequest): ModelRequest {
  const messages = request.messages.map((message) => ({ ...message, content: message.content.map(block) }));
  return { ...request, system: request.system.toWellFormed(), messages };
}

function block(given: Block): Block {
  return given.type === "opaque" || given.type === "image" ? given : (mended(given) as Block);
}

function mended(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(mended);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key.toWellFormed(), mended(part)]));
}
