/** An entry of the ledger for tests that care about some of its fields. */
import { type LedgerEntry, noUsage } from "#core/ledger.ts";
import type { Store } from "#ports/store.ts";

export function ledgerEntry(changed: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    ...{ id: "usage_0001", task: "task_0001", epoch: 1, step: 1, try: 1 },
    ...{ factory: "desk-1", persona: "Lisa", seat: "coder", engine: "uac" },
    ...{ provider: "scripted", requestedModel: "scripted-1", model: "scripted-1", requestId: null, messageId: null },
    ...{ at: 1, durationMs: 1, usage: noUsage, source: "reported" },
    ...{ prices: "test", cost: 1, billing: "metered", billed: 1, outcome: "ok" },
    ...changed,
  };
}

/** As headquarters records its own: one after the other, so that the first of an id counts. */
export async function recordAll({ spending }: Pick<Store, "spending">, entries: readonly LedgerEntry[], now: number) {
  for (const entry of entries) await spending.settle(entry, now);
}
