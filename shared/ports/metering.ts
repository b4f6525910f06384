/**
 * The meter, on the level of one HTTP request to a provider: every try of a call is one reservation, made before it leaves, and one
 * ledger entry, written before anyone acts on its answer.
 */
import type { Budget } from "#core/budget.ts";
import type { UacError } from "#core/errors.ts";
import type { BillingMode, callOutcomes, Usage, usageSources } from "#core/ledger.ts";
import type { Wire } from "#core/wire-usage.ts";

/** A call that is about to be made. */
export interface PlannedCall {
  provider: string;
  wire: Wire;
  model: string;
  /** An estimate, rather too high. */
  inputTokens: number;
  /** The most that it may answer with, tokens. */
  maxOutput: number;
  /** Null: whoever calls does not count its steps, so the meter does. */
  step: number | null;
  /** From 1. */
  try: number;
  /** `uac`, or the name of an engine of somebody else's. */
  engine: string;
  billing: BillingMode;
}

/** How it ended. Every call that reached a provider used something: `usage` is estimated where it was not told. */
export interface CallEnd {
  usage: Usage;
  source: (typeof usageSources)[number];
  /** As the provider reports it. */
  model: string;
  requestId: string | null;
  messageId: string | null;
  outcome: (typeof callOutcomes)[number];
}

export interface OpenCall {
  /** Durable when it resolves: the entry is in the ledger, the reservation gone. Only the first end counts. */
  settle(end: CallEnd): Promise<void>;
}

export interface Metering {
  /**
   * Reserves what the call may use at most. Waits, first come first served and within bounds, while nothing but the reservations of
   * other calls is in the way.
   *
   * Rejects with `over_budget` (an `OverBudget`) where a budget does not hold it, with
   * `limit_reached` where the wait was too long or too many waited, `interrupted` for the signal, `store_unavailable`.
   */
  open(call: PlannedCall, signal?: AbortSignal): Promise<OpenCall>;
}

/** The message names the budget that binds, how far it is used, and what to do. */
export interface OverBudget extends UacError {
  budget: Budget;
  /** In the budget's unit: used so far, and what the call may take. */
  spent: number;
  need: number;
}
