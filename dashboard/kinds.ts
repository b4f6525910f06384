/** A spend by the kind of token, and how its sums are shown. */

import { showNanos, type Usage } from "#core/ledger.ts";
import type { CostParts } from "#core/prices.ts";
import type { Slice } from "./panels/spent.query.ts";
import { percent } from "./text.ts";

export type Kind = keyof CostParts | "unsplit";

export const kinds: Readonly<Record<Kind, { name: string; tokens(usage: Usage): number | null }>> = {
  input: { name: "Input", tokens: (usage) => usage.uncachedIn },
  cacheRead: { name: "Cached read", tokens: (usage) => usage.cacheRead },
  cacheWrite: { name: "Cached write", tokens: (usage) => usage.write5m + usage.write1h },
  output: { name: "Output", tokens: (usage) => usage.output },
  unsplit: { name: "Not split", tokens: () => null },
};
export const splitKinds = ["input", "cacheRead", "cacheWrite", "output"] as const;
export const allKinds: readonly Kind[] = [...splitKinds, "unsplit"];

/** Nano-dollars. */
export function costOfKind(kind: Kind, { cost, parts }: Slice): number {
  return kind === "unsplit" ? cost - parts.input - parts.cacheRead - parts.cacheWrite - parts.output : parts[kind];
}

/** How much of the input came out of a cache; empty where there was none. */
export function cacheHits({ uncachedIn, cacheRead, write5m, write1h }: Usage): string {
  return percent(cacheRead, uncachedIn + cacheRead + write5m + write1h);
}

/** As `showCost`, where the calls without a price are told beside it: `$4.21`, `unpriced`, `≥ $0.50`. */
export function briefly({ cost, calls, unpriced }: { cost: number; calls: number; unpriced: number }): string {
  if (unpriced === 0) return showNanos(cost);
  return unpriced === calls ? "unpriced" : `≥ ${showNanos(cost)}`;
}
