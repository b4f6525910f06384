/** Turns model calls into ledger entries, written down before anyone acts on the answer. */
import type { LedgerEntry, Price, Total } from "#core/ledger.ts";
import { costOf, noUsage, sum, tokensOf } from "#core/ledger.ts";
import type { Clock } from "#ports/clock.ts";
import type { Ids } from "#ports/ids.ts";
import type { Llm, ModelReply, ModelRequest } from "#ports/llm.ts";

export interface MeterDeps {
  llm: Llm;
  clock: Clock;
  ids: Ids;
  priceOf(provider: string, model: string): Price | null;
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
export function meter(deps: MeterDeps, who: Pick<LedgerEntry, "task" | "epoch" | "factory" | "persona">): Meter {
  const { llm, clock, ids } = deps;
  const entries: Pick<LedgerEntry, "usage" | "cost">[] = [...deps.spent];

  async function record(step: number, at: number, reply: ModelReply | null) {
    const usage = reply?.usage ?? noUsage;
    // A call that failed has no usage to price: unpriced and "missing", never a spend of nothing.
    const cost = reply && reply.usageSource !== "missing" ? costOf(usage, deps.priceOf(llm.provider, llm.model)) : null;
    const entry: LedgerEntry = {
      id: ids.next("use"),
      ...who,
      step,
      provider: llm.provider,
      model: reply?.model ?? llm.model,
      at,
      durationMs: clock.now() - at,
      usage,
      source: reply?.usageSource ?? "missing",
      cost,
      outcome: reply ? "ok" : "failed",
    };
    entries.push(entry);
    await deps.record(entry);
  }

  return {
    async call(request, step) {
      const at = clock.now();
      const reply = await llm.complete(request).catch(async (error: unknown) => {
        await record(step, at, null);
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
