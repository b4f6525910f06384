/** The owner's budgets in the state of record. As the store, in one batch each. */
import type { Budget } from "#core/budget.ts";
import type { Raise } from "#core/budget-period.ts";

export interface OwnerBudget {
  budget: Budget;
  raise: Raise | null;
  /** The highest per cent that its owner was told of, and when; 0 since it was set. */
  alerted: { percent: number; at: number };
  /** In its unit, of this period: what the ledger knows. */
  recorded: number;
  /** And what tasks under way have spent beyond that, as heartbeats tell it. */
  live: number;
  /** Held back for calls under way at headquarters. A factory's own it alone knows. */
  reserved: number;
  /** Of a window, when the oldest of what is recorded was, ms: as that grows old it frees itself. Null: nothing is. */
  oldest: number | null;
}

export interface Budgets {
  /** Set again it has another amount, and begins anew: neither raised nor told of. */
  set(budget: Budget, now: number): Promise<void>;
  /** Resolves to those that were there. */
  remove(ids: readonly string[]): Promise<string[]>;
  /** All of them, with what is spent of each in its present period; `except`: by others than this factory. One query. */
  standings(now: number, except?: string): Promise<OwnerBudget[]>;
  /** Further, until its period is over. The same raise again changes nothing; nor does one from before the last, or to less than it. */
  raise(id: string, raise: Raise): Promise<void>;
  /** Its owner was told. */
  alerted(id: string, percent: number, now: number): Promise<void>;
}
