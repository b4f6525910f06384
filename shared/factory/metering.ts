/** One meter for every engine: budgets before a call, a ledger entry after each try of it. */
import { type Asks, type Bound, isOver, asksOf as needOf, type Standing, showRefusal, showUnpriced } from "#core/budget.ts";
import { showReset } from "#core/budget-period.ts";
import { type ErrorCode, UacError } from "#core/errors.ts";
import { billedOf, type LedgerEntry, noUsage, sum, type Total, tokensOf, type Usage } from "#core/ledger.ts";
import type { PriceOf } from "#core/prices.ts";
import type { Clock } from "#ports/clock.ts";
import type { Ids } from "#ports/ids.ts";
import type { Llm } from "#ports/llm.ts";
import type { CallEnd, Metering, OverBudget, PlannedCall } from "#ports/metering.ts";
import type { Spending } from "#ports/spending.ts";
import type { WaitingLine } from "./waiting-line.ts";

export interface MeteringDeps {
  spending: Spending;
  clock: Clock;
  ids: Ids;
  priceOf: PriceOf;
  /** Shared by all meters of a process, as budgets are. */
  line: WaitingLine;
  /** This run of the program. */
  life: string;
  /** How long a reservation holds that nobody settles: longer than any call takes. */
  leaseMs: number;
}

/** Whose calls these are, and what bounds them. */
export interface Account extends Pick<LedgerEntry, "task" | "epoch" | "factory" | "persona" | "seat"> {
  /** The budgets that bind a call which is made now. */
  bounds(): readonly Bound[];
  /** What was spent on this account before. */
  spent: readonly LedgerEntry[];
}

export interface Meter extends Metering {
  total(): Spent;
  /** What is in the way of the call that was refused last, however others' calls end; null: it would be let through now. */
  inTheWay(): Promise<Standing | null>;
  /** What the meter itself failed with in the newest call; null where it did not. Between it and the caller lies an HTTP answer. */
  trouble(): UacError | null;
}

export type Spent = Total & { tokens: number };

/** Failures of the meter's own; any other is the provider's or the caller's. */
const own = new Set<ErrorCode>(["over_budget", "limit_reached", "store_unavailable"]);

export function metering(deps: MeteringDeps, { bounds, spent, ...who }: Account): Meter {
  const { spending, clock, line } = deps;
  const entries: Pick<LedgerEntry, "usage" | "cost">[] = [...spent];
  let steps = spent.reduce((last, { step }) => Math.max(last, step), 0);
  let trouble: UacError | null = null;
  let refused: { entry: LedgerEntry; asks: Asks } | null = null;

  /** The entry of a call that nobody hears the end of: all that it might have used. */
  function atMost(call: PlannedCall): LedgerEntry {
    const { provider, model, engine } = call;
    const at = clock.now();
    const usage = { ...noUsage, uncachedIn: call.inputTokens, output: call.maxOutput };
    return {
      id: deps.ids.next("use"),
      ...who,
      ...{ step: call.step ?? steps + 1, try: call.try, engine, provider, requestedModel: model, model, requestId: null, messageId: null },
      ...{ at, durationMs: 0, usage, source: "estimated", ...priced(call, usage, at), outcome: "interrupted" },
    };
  }

  function priced({ provider, model, billing }: PlannedCall, usage: Usage, at: number) {
    const price = deps.priceOf(provider, model, at);
    const cost = price?.cost(usage) ?? null;
    return { prices: price?.list ?? null, cost, billing, billed: billedOf(cost, billing) };
  }

  /** At its dearest: nobody knows beforehand what of the input is written to a cache. */
  function asksOf({ provider, model, inputTokens, maxOutput }: PlannedCall): Asks {
    const price = deps.priceOf(provider, model, clock.now());
    return { usd: price?.most(inputTokens, maxOutput) ?? null, tokens: inputTokens + maxOutput };
  }

  async function reserve(entry: LedgerEntry, asks: Asks, signal?: AbortSignal): Promise<LedgerEntry> {
    refused = { entry, asks };
    const binding = bindingBounds(bounds(), entry, asks);
    const attempt = async () => {
      const now = clock.now();
      const begun = { ...entry, at: now };
      const standing = await spending.reserve({ entry: begun, asks, life: deps.life, leaseUntil: now + deps.leaseMs }, binding, now);
      if (standing === null) return begun;
      if (isOver(standing, asks)) throw overBudget(standing, asks, showRefusal(standing, asks) + showReset(standing.bound.budget, now));
      return null;
    };
    const keys = binding.map(({ budget }) => budget.id);
    return line.pass(keys, attempt, signal);
  }

  async function settle(call: PlannedCall, begun: LedgerEntry, { usage, source, ...end }: CallEnd) {
    const price = priced(call, usage, begun.at);
    const unknown = { prices: null, cost: null, billed: billedOf(null, call.billing) };
    // A clock that was set back must not cost the entry.
    const durationMs = Math.max(0, clock.now() - begun.at);
    const entry = { ...begun, ...end, durationMs, usage, source, ...price, ...(source === "missing" && unknown) };
    entries.push(entry);
    line.unwritten.set(entry.id, entry);
    await write(entry).finally(line.moved);
  }

  async function write(entry: LedgerEntry) {
    await spending.settle(entry, clock.now());
    line.unwritten.delete(entry.id);
  }

  /** What the ledger could not take goes before anything new, so that the budgets know of it. */
  async function catchUp() {
    for (const entry of line.unwritten.values()) await write(entry);
  }

  async function noted<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof UacError && own.has(error.code)) trouble = error;
      throw error;
    }
  }

  return {
    async open(call, signal) {
      trouble = null;
      const entry = atMost(call);
      steps = Math.max(steps, entry.step);
      const begun = await noted(catchUp().then(() => reserve(entry, asksOf(call), signal)));
      let settled: Promise<void> | null = null;
      return {
        settle(end) {
          settled ??= noted(settle(call, begun, end));
          return settled;
        },
      };
    },
    total() {
      const total = sum(entries);
      return { ...total, tokens: tokensOf(total.usage) };
    },
    async inTheWay() {
      if (!refused) return null;
      const { entry, asks } = refused;
      // Asked for anew: a budget's amount and its period may be others by now.
      const standings = await spending.standings(bindingBounds(bounds(), entry, asks));
      return standings.find((standing) => isOver(standing, asks)) ?? null;
    },
    trouble: () => trouble,
  };
}

/** Dollars can't hold what has no price and costs something all the same: there must be a budget in tokens that does. */
function bindingBounds(all: readonly Bound[], { provider, model, billing }: LedgerEntry, asks: Asks): readonly Bound[] {
  if (asks.usd !== null) return all;
  const [inTokens, inDollars] = (["tokens", "usd"] as const).map((unit) => all.filter(({ budget }) => budget.unit === unit));
  const [first] = inDollars ?? [];
  if (first && inTokens?.length === 0 && billing === "metered") {
    throw overBudget({ bound: first, spent: 0 }, asks, showUnpriced(first.budget, provider, model));
  }
  return inTokens ?? [];
}

function overBudget({ bound, spent }: Omit<Standing, "reserved">, asks: Asks, message: string): OverBudget {
  return Object.assign(new UacError("over_budget", message), { budget: bound.budget, spent, need: needOf(bound, asks) });
}

/** `llm`, whose calls go by `meter`: what the meter failed with is not taken for a failure of the provider's. */
export function under(meter: Meter, llm: Llm): Llm {
  return {
    ...llm,
    complete: (request) =>
      llm.complete(request).catch((error: unknown) => {
        throw meter.trouble() ?? error;
      }),
  };
}
