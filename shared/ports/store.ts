/**
 * The state of record. Every write is one batch (one round trip) with compare-and-set in SQL; there are no interactive
 * transactions. Times are HQ's clock in milliseconds. All methods reject with `store_unavailable` on an outage.
 */
import type { Control, NewControl, NewTaskControl } from "#core/control.ts";
import type { LedgerEntry, Spend, Total } from "#core/ledger.ts";
import type { Budgets } from "./budgets.ts";
import type { Inbound } from "./chat.ts";
import type { Factories } from "./factories.ts";
import type { Incident } from "./incidents.ts";
import type { Letters } from "./letters.ts";
import type { Questions } from "./questions.ts";
import type { Spending } from "./spending.ts";
import type { Task, TaskEventEntry, Tasks } from "./tasks.ts";
import type { Transcript } from "./transcript.ts";

export interface Update {
  id: number;
  chat: number;
  inbound: Inbound;
  attempts: number;
  receivedAt: number;
}

export interface Updates {
  /** Claims the update id and stores it whole. `known`: it is here already, and was or was not finished. */
  receive(id: number, inbound: Inbound, now: number): Promise<"new" | "unfinished" | "finished">;
  /** The chat's oldest unfinished update, its attempts counted up by one (0 → 1 at the first call). */
  begin(chat: number, now: number): Promise<Update | null>;
  /** It came further and is not over: its attempts are counted from 0 again. */
  pause(id: number): Promise<void>;
  finish(id: number, outcome: string, now: number): Promise<void>;
  /** Chats with an unfinished update received before `before`. */
  stuckChats(before: number): Promise<number[]>;
}

export interface Exchange {
  user: string;
  reply: string;
  at: number;
}

export interface Conversations {
  /** The transcript of one turn. */
  turn(turn: string): Transcript;
  /** Ends a turn: what was said, kept for later turns. Repeatable. */
  close(turn: string, chat: number, exchange: Exchange): Promise<void>;
  /** The last exchanges of a chat, oldest first. */
  recent(chat: number, limit: number): Promise<Exchange[]>;
}

export interface OutboxRow {
  id: number;
  factory: string;
  task: string;
  epoch: number;
  order: string;
}

/** Sealed orders, until they are claimed or withdrawn. */
export interface Outbox {
  due(now: number, limit: number): Promise<OutboxRow[]>;
  /** It is on the bus; `entry` is the line of its story. */
  sent(row: OutboxRow, entry: TaskEventEntry, now: number): Promise<void>;
  retryAt(row: OutboxRow, at: number, error: string): Promise<void>;
}

/** What factories are told to do, until they say that they did. */
export interface Controls {
  /**
   * One batch: the step of the task that goes with it, the control with its number, a line of the story. `cancel` marks a leased
   * task, `pause` and `resume` move it, `steer` adds to the instruction, so that a later attempt hears it too. Resolves to the
   * control, also where its id is known; to null where the task has moved on since it was read.
   */
  direct(task: Task, control: NewTaskControl, entry: TaskEventEntry, now: number): Promise<Control | null>;
  /** For a factory as a whole. */
  add(factory: string, control: Exclude<NewControl, NewTaskControl>, now: number): Promise<Control>;
  /**
   * With each heartbeat, one call: closes what the factory says it obeyed and what is about an attempt that is over. Resolves to
   * what it is still to hear of, in order, at most `limit`.
   */
  exchange(factory: string, obeyed: readonly string[], limit: number, now: number): Promise<Control[]>;
}

export interface Ledger {
  total(filter: { since?: number; task?: string; factory?: string }): Promise<Total>;
  /**
   * What was recorded on whole days, the dearest first: `today` and `month` are the midnights, UTC, with which they begin. As many
   * queries for any number of factories.
   */
  spent(since: { today: number; month: number }): Promise<Spent>;
}

export interface Spent {
  factories: (SpentSince & { factory: string })[];
  models: (SpentSince & Pick<LedgerEntry, "provider" | "model" | "billing">)[];
}

interface SpentSince {
  today: Spend;
  /** With today's. */
  month: Spend;
}

export interface Access {
  /** Remembers an envelope id; false if it was seen before. Forgotten after `expiresAt` and the tolerated skew. */
  unseen(issuer: string, id: string, expiresAt: number, now: number): Promise<boolean>;
  addLogin(hash: string, expiresAt: number): Promise<void>;
  /** Uses a one-time login up. */
  redeemLogin(hash: string, session: { hash: string; expiresAt: number }, now: number): Promise<boolean>;
  session(hash: string, now: number): Promise<boolean>;
  endSession(hash: string): Promise<void>;
}

export interface Store {
  updates: Updates;
  conversations: Conversations;
  tasks: Tasks;
  outbox: Outbox;
  controls: Controls;
  letters: Letters;
  questions: Questions;
  factories: Factories;
  ledger: Ledger;
  spending: Spending;
  budgets: Budgets;
  access: Access;
  /** Noted once; resolves to how often it came up, this time included. Those long past are let go. */
  incident(incident: Incident, now: number): Promise<number>;
  /** The newest of a kind, newest first, without their data. */
  incidents(filter: { kind: string; limit: number }): Promise<(Incident & { at: number })[]>;
  /** Durable facts of HQ (last cron tick, order sequence numbers). */
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<void>;
  /** Counts up by one and resolves to the new value. */
  next(counter: string): Promise<number>;
  /** Rises with every change a page could show. */
  changeSeq(): Promise<number>;
}
