/** Turns model calls into ledger entries, written down before anyone acts on the answer. */
import type { LedgerEntry, Total, Usage } from "#core/ledger.ts";
import { billedOf, noUsage, sum, tokensOf } from "#core/ledger.ts";
import type { PriceOf } from "#core/prices.ts";
import type { Clock } from "#ports/clock.ts";
import type { Ids } from "#ports/ids.ts";
import type { Llm, LlmFailure, ModelReply, ModelRequest } from "#ports/llm.ts";

export interface MeterDeps {
  llm: Llm;
  clock: Clock;
  ids: Ids;
  priceOf: PriceOf;
  /** Durable when it resolves. */
  record(entry: LedgerEntry): Promise<void>;
  /** What was spent under this meter before a restart. */
  spent: readonly LedgerEntry[];
}

export interface Meter {
  /** One model call, recorded whether it works or not. Rejects as the model does. */
  call(request: ModelRequest, step: number): Promise<ModelReply>;
  total(): Total & { tokens: number };
}

/** `who` is written into every entry. */
export function meter(deps: MeterDeps, who: Pick<LedgerEntry, "task" | "epoch" | "factory" | "persona" | "seat">): Meter {
  const { llm, clock, ids } = deps;
  const entries: Pick<LedgerEntry, "usage" | "cost">[] = [...deps.spent];

  async function record(step: number, at: number, reply: ModelReply | null, failed?: Usage) {
    const usage = reply?.usage ?? failed ?? noUsage;
    // A failed call says what it used, if the provider told. Where nobody knows it is unpriced, never a spend of nothing.
    const source = reply?.usageSource ?? (failed ? "partial" : "missing");
    const price = source === "missing" ? null : deps.priceOf(llm.provider, llm.model, at);
    const cost = price?.cost(usage) ?? null;
    const entry: LedgerEntry = {
      id: ids.next("use"),
      ...who,
      step,
      ...{ try: 1, engine: "uac", provider: llm.provider, requestedModel: llm.model, requestId: null, messageId: null },
      model: reply?.model ?? llm.model,
      at,
      // A clock that was set back must not cost the entry.
      durationMs: Math.max(0, clock.now() - at),
      usage,
      source,
      ...{ prices: price?.list ?? null, cost, billing: "metered", billed: billedOf(cost, "metered") },
      outcome: reply ? "ok" : "failed",
    };
    entries.push(entry);
    await deps.record(entry);
  }

  return {
    async call(request, step) {
      const at = clock.now();
      const reply = await llm.complete(request).catch(async (error: unknown) => {
        await record(step, at, null, (error as LlmFailure).usage);
        throw error;
      });
      await record(step, at, reply);
      return reply;
    },
    total() {
      const total = sum(entries);
      return { ...total, tokens: tokensOf(total.usage) };
    },
  };
}
