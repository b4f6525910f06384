/**
 * The state of record. Every write is one batch (one round trip) with compare-and-set in SQL; there are no interactive
 * transactions. Times are HQ's clock in milliseconds. All methods reject with `store_unavailable` on an outage.
 */

import type { Control, NewControl, NewTaskControl } from "#core/control.ts";
import type { Body, FactoryFacts, Progress, Result } from "#core/envelope.ts";
import type { FactoryStatus } from "#core/fleet.ts";
import type { PublicKey } from "#core/hq-api.ts";
import type { LedgerEntry, Spend, Total } from "#core/ledger.ts";
import type { Limits } from "#core/limits.ts";
import type { Receipt } from "#core/receipt.ts";
import type { Role } from "#core/role.ts";
import type { TaskEvent, TaskProgress, TaskState } from "#core/task.ts";
import type { VpSeat } from "#core/vp.ts";
import type { Inbound } from "./chat.ts";
import type { Letters } from "./letters.ts";
import type { Questions } from "./questions.ts";
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

export interface NewTask {
  id: string;
  chat: number;
  /** The owner's message that asked for it. */
  message: number | null;
  title: string;
  instruction: string;
  /** Null: the factory's primary chooses. */
  kind: VpSeat | null;
  workspace: string | null;
  /** The factory that the owner named, or null. */
  wanted: string | null;
  /** Higher goes first; 0 is ordinary. */
  priority: number;
  /** Not given out before; null: at once. */
  notBefore: number | null;
  /** The owner's time-to-live: what has not begun by then expires. Null: it waits for ever. */
  deadline: number | null;
  /** The dead or failed task that this one repeats. */
  replayOf: string | null;
  limits: Limits;
  requireVerified: boolean;
  /** When the update that led to it was received: the start of its story. */
  receivedAt: number;
}

/** Events that put a task back into the queue in a new epoch, without a result. */
export type RequeueEvent = Extract<TaskEvent, "lose" | "return">;

export interface Task extends NewTask, TaskProgress {
  factory: string | null;
  persona: string | null;
  /** Why it is in this state, for a person. */
  reason: string;
  code: string;
  summary: string;
  receipt: Receipt | null;
  leaseUntil: number | null;
  /** Live figures from heartbeats and progress. */
  step: number;
  cancelRequested: string | null;
  /** When the factory claimed the attempt that is. */
  claimedAt: number | null;
  createdAt: number;
  updatedAt: number;
  endedAt: number | null;
}

/** A task that another one needs. */
export interface Need {
  id: string;
  state: TaskState;
}

export interface TaskEventEntry {
  kind: string;
  text: string;
  factory?: string;
  persona?: string;
}

export interface StoredTaskEvent extends Required<Omit<TaskEventEntry, "factory" | "persona">> {
  at: number;
  /** The factory's own clock, for what a factory told. */
  originAt: number | null;
  epoch: number;
  factory: string | null;
  persona: string | null;
}

export interface TaskFilter {
  states?: readonly TaskState[];
  factory?: string;
  chat?: number;
  /** Else newest first. */
  oldestFirst?: boolean;
  limit: number;
}

/** What goes first, and what waits for what. */
export interface Queue {
  /**
   * Queued and held tasks that may go now: their time has come, their deadline has not, and all that they need has succeeded.
   * In the order in which they go: the more urgent, then by turns among the chats (what a chat has under way counts, then who
   * was served longest ago), then the earlier deadline, then the older. Tasks that wait for the same factory, workspace and
   * kind are one route: each route shows its first few, so that none hides another.
   */
  ready(now: number, limit: number): Promise<Task[]>;
  /** Tasks that have not begun and whose deadline has passed, the longest overdue first. */
  overdue(now: number, limit: number): Promise<Task[]>;
  /** Waiting tasks whose wait is over: all that they need has succeeded, or `broken` never will. `needs`: of those that wait for one of them. */
  unblocked(needs: readonly string[] | null, limit: number): Promise<{ task: Task; broken: Need | null }[]>;
  /** Those of `ids` that exist. */
  known(ids: readonly string[]): Promise<Need[]>;
  /** What a task needs, by id. */
  needs(id: string): Promise<Need[]>;
  /** The task that repeats this one; null if none does. */
  replayOf(id: string): Promise<Task | null>;
}

/** What a factory told that HQ could read: taken down in one batch. */
export interface Told {
  results: readonly { event: "succeed" | "fail" | "cancel"; result: Result }[];
  /** Ledger entries beside those of the results. */
  usages: readonly LedgerEntry[];
  incidents: readonly Incident[];
  /** Numbers of the reports that told it: heard from now on. */
  heard: readonly number[];
}

export interface Tasks extends Queue {
  /**
   * False if the id is known: the same delegation twice is one task. `needs`: tasks that exist; it waits until all of them have
   * succeeded. As no task can need one that is younger, none needs itself in the end.
   */
  create(task: NewTask, event: TaskEventEntry, now: number, needs?: readonly string[]): Promise<boolean>;
  get(id: string): Promise<Task | null>;
  list(filter: TaskFilter): Promise<Task[]>;
  /**
   * One batch: queued → dispatched, an attempt row, an event, and the sealed order in the outbox. False: someone was faster, or
   * the factory has `places` tasks already, or the owner added to the instruction that the order carries.
   */
  dispatch(
    id: string,
    epoch: number,
    to: { factory: string; places: number; reason: string; order: string; orderId: string; instruction: string },
    now: number,
  ): Promise<boolean>;
  /** dispatched → running for this factory, order and epoch, before the deadline. `resumed` if it holds the claim already; else `refused`. */
  claim(
    id: string,
    epoch: number,
    by: { factory: string; order: string; leaseUntil: number },
    now: number,
  ): Promise<"claimed" | "resumed" | "refused">;
  /**
   * Any plain step of the table at this epoch (hold, release, cancel, expire, fail, …). `from`: only from the state
   * that was looked at, where others would be legal too. False: the state had moved on. Rejects with
   * `illegal_transition` for dispatch, claim, lose, return and retry, which have methods of their own.
   */
  move(
    id: string,
    epoch: number,
    event: TaskEvent,
    entry: TaskEventEntry & { code: string; from?: TaskState },
    now: number,
  ): Promise<boolean>;
  /**
   * `lose` or `return`, as `advance` computed it from `from`: new epoch, or dead. The attempt is closed with the reason.
   * False if the task moved on or is to be cancelled, or if its lease was renewed since `from` was read: then it is not lost.
   */
  requeue(event: RequeueEvent, from: Task, to: TaskProgress, entry: TaskEventEntry & { code: string }, now: number): Promise<boolean>;
  /**
   * Accepts each result only for `id + epoch + not terminal`, from the factory that holds it; with its receipt and its event.
   * Ledger entries are kept even if it is stale. Resolves to what became of the results, in their order.
   */
  settle(factory: string, told: Told, now: number): Promise<("accepted" | "stale")[]>;
  /**
   * A failed attempt after which there is another, or none any more: `retry` as `advance` computed it from `from`. Accepted as
   * by `settle`, in one batch with the ledger entries; a task that is dead keeps the result. False: stale, or the owner has
   * asked for its end.
   */
  retry(from: Task, to: TaskProgress, result: Result, said: { notBefore: number | null; text: string }, now: number): Promise<boolean>;
  /** Renews the leases of what a factory says it runs; resolves to what is not its own to run any more. One that is to be cancelled is not renewed. */
  renew(
    factory: string,
    running: readonly { task: string; epoch: number; step: number; cost: number }[],
    leaseUntil: number,
    now: number,
  ): Promise<{ task: string; epoch: number; reason: string }[]>;
  /** Other wishes for a task that nobody has yet (queued, waiting, held). False: the state had moved on, or they are its wishes already. */
  change(id: string, epoch: number, wishes: Partial<Pick<NewTask, "wanted" | "deadline">>, now: number): Promise<boolean>;
  /**
   * Tasks given to a factory whose lease ended before `now`, but for those of `unread` factories; and, for a while, of factories that
   * live and have sent reports that did not come. A paused task waits for its factory as long as the owner lets it: nobody works on
   * it, so nothing is lost.
   */
  expired(now: number, unread: readonly string[]): Promise<Task[]>;
  /**
   * Says that HQ watched at `at` (every stream read to its end, but for those of `unread` factories). After a time in which it did
   * not, every lease gets a full round from `now` on. Resolves to that time in ms: 0 where there was none, null at the very first.
   */
  watched(at: number, unread: readonly string[], now: number): Promise<number | null>;
  /** Adds to the story; a progress entry is known by task, epoch and seq and is added once. */
  note(id: string, epoch: number, entry: TaskEventEntry, now: number): Promise<void>;
  progress(factory: string, told: readonly Progress[], now: number): Promise<void>;
  events(id: string): Promise<StoredTaskEvent[]>;
  /** Tasks that are not over, each with the steps of its story. */
  atWork(ids: readonly string[]): Promise<{ task: Task; steps: StoredTaskEvent[] }[]>;
  /** Tasks with what they cost. */
  withCosts(ids: readonly string[]): Promise<{ task: Task; cost: Total }[]>;
  /** Tasks that ended since `since` and have no letter `<prefix><task id>`, oldest first. */
  withoutLetter(prefix: string, since: number, limit: number): Promise<Task[]>;
  /** The task that this message is about, if any: of the letter that it is, keyed `<what>:<task id>`. */
  byCard(chat: number, message: number): Promise<Task | null>;
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

export interface Factory {
  id: string;
  status: FactoryStatus;
  kid: string;
  key: PublicKey;
  gen: number;
  /** Hash of the password of its own user on the bus; null where it has none. */
  busHash: string | null;
  facts: FactoryFacts | null;
  role: Role;
  name: string;
  enrolledAt: number;
  lastHeartbeatAt: number | null;
  rttMs: number | null;
  /** Since when it is here without a break longer than the lease. */
  connectedSince: number | null;
  /** Tasks dispatched or running there. */
  busy: number;
}

export interface JoinCode {
  hash: string;
  factory: string;
  name: string;
  role: Role;
  expiresAt: number;
}

/** What a heartbeat shows of the two ways on the bus. */
export interface Compared {
  status: FactoryStatus;
  /** Every report up to this number is settled, or given up. */
  heard: number;
  /** Reports that were sent before the last heartbeat but one, and did not come though HQ read the bus since; the first of them. */
  missing: number[];
  /** Reports that never came and that the factory has no more. */
  lost: { from: number; to: number } | null;
}

export interface Factories {
  list(): Promise<Factory[]>;
  get(id: string): Promise<Factory | null>;
  byKid(kid: string): Promise<Factory | null>;
  /**
   * One batch: notes the facts; keeps what the factory holds (`accepted`) with it, and lets those that it does not
   * name be published again; compares the reports that it sent with those that came. `not_found` where there is no such factory.
   */
  heartbeat(id: string, beat: Omit<Body<"heartbeat">, "obeyed" | "bus">, now: number): Promise<Compared>;
  /** Enrolled, not yet approved. An id that exists gets the new key and must be approved again: never a second row. */
  enrol(
    factory: { id: string; name: string; role: Role; kid: string; key: PublicKey; busHash?: string | null },
    now: number,
  ): Promise<void>;
  /** Notes that a retired factory's user on the bus is gone. Nothing for a factory that is not retired. */
  forgetBusUser(id: string): Promise<void>;
  /**
   * False if there is no such factory, or it is retired. With `kid` only while that is its key: an approval is for the key
   * whose fingerprint was shown. With `from` only while that is its status.
   */
  setStatus(id: string, status: FactoryStatus, now: number, kid?: string, from?: FactoryStatus): Promise<boolean>;
  addCode(code: JoinCode, now: number): Promise<void>;
  /** Uses the code up. Wrong guesses are counted on all open codes of that factory id: the sixth burns them. */
  redeem(hash: string, factory: string, now: number): Promise<JoinCode | "unknown" | "used" | "expired" | "burned">;
}

export interface Ledger {
  /** Appends; an id that is known is ignored. */
  add(entries: readonly LedgerEntry[], now: number): Promise<void>;
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

export interface Incident {
  kind: string;
  factory: string | null;
  text: string;
  /** What could not be read or settled, as it came. */
  data?: string;
  /** Digest of what caused it; the same twice is one incident. */
  digest: string;
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
