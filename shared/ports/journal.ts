/** A factory's own record, on its own disk: what it took on, did and spent, and what HQ must still be told. */
import type { Control } from "#core/control.ts";
import type { Order } from "#core/envelope.ts";
import type { LedgerEntry } from "#core/ledger.ts";
import type { Spending } from "./spending.ts";
import type { Transcript } from "./transcript.ts";

export const attemptStates = ["accepted", "running", "reported"] as const;
export type AttemptState = (typeof attemptStates)[number];

/** What is kept of an attempt while it is worked on; it goes with it. */
export const attemptFacts = ["approval", "begun", "cap", "commands", "setup", "still", "tests-at-base"] as const;

/** The key of such a fact. */
export function attemptFact(what: (typeof attemptFacts)[number], { task, epoch }: { task: string; epoch: number }): string {
  return `${what}:${task}:${epoch}`;
}

export interface Attempt {
  order: Order;
  orderId: string;
  /** The entry on the bus that brought it; acknowledged with the result. */
  entryId: string;
  state: AttemptState;
  /** How often this factory began it: 3 begins without an end is a poison task. */
  starts: number;
}

/** What HQ must be told, sealed. It is kept until HQ says that it heard it. */
export interface Report {
  id: string;
  /** Rises by one from report to report: a number that HQ never sees was lost on the way. */
  seq: number;
  data: string;
  /** The order's entry to acknowledge in the same step. */
  ackEntry: string | null;
}

export interface Journal extends Spending {
  /**
   * False if this task and epoch are known already. At times it lets go what is left of attempts that ended more than 30 days ago and
   * of which HQ has heard everything.
   */
  accept(attempt: Omit<Attempt, "state" | "starts">, now: number): Promise<boolean>;
  find(task: string, epoch: number): Promise<Attempt | null>;
  /**
   * Counts a delivery of an entry that no attempt has yet, before it is read: resolves to how often it was delivered and never taken
   * in, or to 0 if it was.
   */
  deliver(entryId: string): Promise<number>;
  /** Counts a start and marks it running. Resolves to the number of starts. */
  begin(task: string, epoch: number, now: number): Promise<number>;
  /** Takes a start back: it did not come to it. */
  unbegin(task: string, epoch: number): Promise<void>;
  /** It came to stand still, so the starts before did the factory no harm: they are counted from 1 again. */
  survived(task: string, epoch: number): Promise<void>;
  /**
   * One batch: the result into the outbox, the attempt marked reported, the ledger entries told. False, and nothing done, if its
   * number is not the next one: it is to be sealed anew. `conflict` if the attempt is not open.
   */
  report(task: string, epoch: number, report: Report, toldUsages: readonly string[], now: number): Promise<boolean>;
  /** Closes an attempt that HQ would not let start: nothing is reported. */
  drop(task: string, epoch: number, now: number): Promise<void>;
  /** Attempts accepted or running, oldest first: what a restart goes on with. */
  open(): Promise<Attempt[]>;
  /** Attempts that HQ has not been told the end of: open ones, and those whose result is not on the bus yet. Oldest first. */
  held(limit: number): Promise<{ task: string; epoch: number }[]>;
  transcript(task: string, epoch: number): Transcript;
  /** Takes a control down. False if its id is known: then HQ is only told once more that it was obeyed. */
  obey(control: Control, now: number): Promise<boolean>;
  /** What was said about an attempt, whether it is here already or not. */
  controls(task: string, epoch: number): Promise<Control[]>;
  /** Ids that HQ has not been told of, oldest first. */
  obeyed(limit: number): Promise<string[]>;
  /** HQ has heard of them. */
  obeyedTold(ids: readonly string[]): Promise<void>;
  /** Entries of a task and epoch. */
  spent(task: string, epoch: number): Promise<LedgerEntry[]>;
  /** Entries that no report has carried yet, oldest first. */
  untold(limit: number): Promise<LedgerEntry[]>;
  /** The number of the next report. A new journal begins with `now`, so that one that replaces another uses no number twice. */
  nextSeq(now: number): Promise<number>;
  /** Puts a report in the outbox (with the ledger entries it tells). False, and nothing done, if its number is not the next one. */
  send(report: Report, toldUsages: readonly string[], now: number): Promise<boolean>;
  /** Reports not yet on the bus, in the order of their numbers. */
  unsent(limit: number): Promise<Report[]>;
  sent(reportId: string): Promise<void>;
  /** The first number that HQ has not heard and the last that is on the bus; null where there never was a report. */
  kept(): Promise<{ first: number; last: number } | null>;
  /** HQ heard all reports up to this number: those that were sent are let go. */
  heard(upTo: number): Promise<void>;
  /** Those of the reports that were sent, and not sent again a moment ago; in order. Each time it was sent again a report waits longer. */
  missed(seqs: readonly number[], now: number): Promise<Report[]>;
  sentAgain(reportId: string, now: number): Promise<void>;
  /** The same report, sealed anew. */
  reseal(report: Report): Promise<void>;
  /** Facts that outlive a restart: of an attempt (`attemptFact`), or of the journal itself. */
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<void>;
  close(): Promise<void>;
}
