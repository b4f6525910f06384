/** Who is asked: what a request builder needs to know of it. */
import type { Wire } from "#core/wire-usage.ts";
import type { Block } from "#ports/llm.ts";
import type { Abilities, Quirks } from "./presets.ts";

export interface Place {
  provider: string;
  wire: Wire;
  model: string;
  does: Abilities;
  quirks: Quirks;
}

/** Stands for thinking that was another's, or never was, where a message without any is refused. */
export const notThought = "(not recorded)";
/** Stands for an image where the model sees none: the model can say so, and does not guess. */
export const noImage = "(an image was attached here; this model can't see images)";

/** Opaque blocks go back to whom they came from, over the wire that they came over. */
export function isOwn(block: Extract<Block, { type: "opaque" }>, place: Pick<Place, "provider" | "wire">): boolean {
  return block.provider === place.provider && (block.wire ?? "anthropic") === place.wire;
}
