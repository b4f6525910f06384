/** What the meter needs of a store: money and tokens held back for calls under way, and the entries of those that ended. */
import type { Asks, Bound, Standing } from "#core/budget.ts";
import type { LedgerEntry } from "#core/ledger.ts";

export interface Reservation {
  /** What becomes of it in the ledger if nobody settles it: an `estimated`, `interrupted` call that used all it might. */
  entry: LedgerEntry;
  /** What is held back. */
  asks: Asks;
  /** The run of the program that made it. */
  life: string;
  /** Longer than a call may take, ms. */
  leaseUntil: number;
}

export interface Spending {
  /**
   * One atomic step: reserved (null) if each of the bounds holds what is spent, what is reserved and this together; else the first that
   * does not, as it stands, and nothing is changed.
   */
  reserve(reservation: Reservation, bounds: readonly Bound[], now: number): Promise<Standing | null>;
  /** How far each of the bounds is used now. */
  standings(bounds: readonly Bound[]): Promise<Standing[]>;
  /** One batch: the entry in, the reservation with its id gone. An entry whose id is known changes nothing. */
  settle(entry: LedgerEntry, now: number): Promise<void>;
  /**
   * Reservations that nobody will settle any more become entries, as they are: those whose lease ended by now and, where `life` is given,
   * all that another run of the program left. Resolves to how many.
   */
  release(now: number, life?: string): Promise<number>;
}
