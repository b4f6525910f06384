/** A factory's own record, on its own disk: what it took on, did and spent, and what HQ must still be told. */
import type { Order } from "#core/envelope.ts";
import type { LedgerEntry } from "#core/ledger.ts";
import type { Transcript } from "./transcript.ts";

export const attemptStates = ["accepted", "running", "reported"] as const;
export type AttemptState = (typeof attemptStates)[number];

export interface Attempt {
  order: Order;
  orderId: string;
  /** The entry on the bus that brought it; acknowledged with the result. */
  entryId: string;
  state: AttemptState;
  /** How often this factory began it: 3 begins without an end is a poison task. */
  starts: number;
}

export interface Report {
  id: string;
  channel: "out" | "ev";
  data: string;
  /** The order's entry to acknowledge in the same step. */
  ackEntry: string | null;
}

export interface Journal {
  /** False if this task and epoch are known already. */
  accept(attempt: Omit<Attempt, "state" | "starts">, now: number): Promise<boolean>;
  find(task: string, epoch: number): Promise<Attempt | null>;
  /** Counts a start and marks it running. Resolves to the number of starts. */
  begin(task: string, epoch: number, now: number): Promise<number>;
  /** One batch: the result into the outbox, the attempt marked reported, the ledger entries told. */
  report(task: string, epoch: number, report: Report, toldUsages: readonly string[], now: number): Promise<void>;
  /** Closes an attempt that HQ would not let start: nothing is reported. */
  drop(task: string, epoch: number, now: number): Promise<void>;
  /** Attempts accepted or running, oldest first: what a restart goes on with. */
  open(): Promise<Attempt[]>;
  transcript(task: string, epoch: number): Transcript;
  /** Written before anyone is told. */
  spend(entry: LedgerEntry): Promise<void>;
  /** Entries of a task and epoch. */
  spent(task: string, epoch: number): Promise<LedgerEntry[]>;
  /** Entries that no report has carried yet, oldest first. */
  untold(limit: number): Promise<LedgerEntry[]>;
  /** Puts a report in the outbox (with the ledger entries it tells). */
  send(report: Report, toldUsages: readonly string[], now: number): Promise<void>;
  /** Reports not yet on the bus, oldest first. */
  unsent(limit: number): Promise<Report[]>;
  sent(reportId: string): Promise<void>;
  /** Facts that outlive a restart (sequence numbers, HQ's pinned key). */
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<void>;
  /** Counts up by one and resolves to the new value. */
  next(counter: string): Promise<number>;
  close(): Promise<void>;
}
