/** A ledger of a corporation that has worked for months, the same at every run, recorded as headquarters records it. */

import { pricesOf } from "#adapters/prices/index.ts";
import { dayMs } from "#core/day.ts";
import type { LedgerEntry } from "#core/ledger.ts";
import type { Store } from "#ports/store.ts";

export const priceOf = pricesOf();
const factories = 12;
/** What a report carries at most. */
const perBatch = 400;
const models = [
  ["anthropic", "claude-opus-5-5", "metered"],
  ["anthropic", "claude-sonnet-5-5", "metered"],
  ["anthropic", "claude-haiku-4-5", "metered"],
  ["zai", "glm-5.3", "subscription"],
  ["deepseek", "deepseek-v4-pro", "metered"],
  ["minimax", "minimax-m3", "metered"],
  ["ollama", "of-nobody-s-list", "local"],
  ["openrouter", "of-nobody-s-list", "metered"],
] as const;
const seats = [
  ["primary", "Homer"],
  ["coder", "Lisa"],
  ["general", "Bart"],
] as const;

/** `rows` entries, evenly over the `days` before the end of the day `now` lies in. */
export async function fillLedger(
  { tasks }: Pick<Store, "tasks">,
  fill: { rows: number; days: number; now: number; say(line: string): void },
) {
  const { rows, days, now, say } = fill;
  const next = random(20_261_126);
  for (let first = 0; first < rows; first += perBatch) {
    const at = now - Math.floor(((rows - first - 1) / rows) * days) * dayMs;
    const entries = Array.from({ length: Math.min(perBatch, rows - first) }, (_, i) => entryOf(first + i, at, next));
    for (const [factory, usages] of Map.groupBy(entries, (entry) => entry.factory)) {
      await tasks.settle(factory, { results: [], usages, incidents: [], heard: [] }, at);
    }
    if (first % (rows / 10) < perBatch && first > 0) say(`${first.toLocaleString("en")} of ${rows.toLocaleString("en")} calls recorded …`);
  }
}

function entryOf(i: number, at: number, next: (below: number) => number): LedgerEntry {
  const factory = next(factories + 1);
  const [seat, persona] = (factory === 0 ? seats[0] : seats[next(seats.length)]) ?? seats[0];
  const [provider, model, billing] = models[next(models.length)] ?? models[0];
  const usage = {
    ...{ uncachedIn: next(6000), cacheRead: next(90_000), write5m: next(4000), write1h: 0 },
    ...{ output: 100 + next(2500), reasoning: next(100) },
  };
  const price = priceOf(provider, model, at);
  const cost = price?.cost(usage) ?? null;
  return {
    ...{ id: `use_${String(i).padStart(20, "0")}`, task: `t_${Math.floor(i / 25)}`, epoch: 1, step: i % 25, try: 1 },
    ...{ factory: factory === 0 ? "hq" : `desk-${factory}`, persona, seat, engine: "uac" },
    ...{ provider, requestedModel: model, model, requestId: `req_${i}`, messageId: `msg_${i}` },
    ...{ at, durationMs: 500 + next(20_000), usage, source: "reported" as const },
    ...{ prices: price?.list ?? null, cost, billing, billed: billing === "metered" ? cost : 0, outcome: "ok" as const },
  };
}

/** mulberry32: whole numbers below what is asked for. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
