/** Tasks in the state of record: what they are, what goes first, and every step that they take. As the store, in one batch each. */
import type { Progress, Result } from "#core/envelope.ts";
import type { Follow } from "#core/follow-up.ts";
import type { LedgerEntry, Total } from "#core/ledger.ts";
import type { Limits } from "#core/limits.ts";
import type { Receipt } from "#core/receipt.ts";
import type { TaskEvent, TaskProgress, TaskState } from "#core/task.ts";
import type { VpSeat } from "#core/vp.ts";
import type { Incident } from "./incidents.ts";

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
  /** What is to become of another task's branch; null: it is a piece of work. */
  follow: Follow | null;
  limits: Limits;
  requireVerified: boolean;
  /** It starts with what the owner has changed and not committed; false: from the last commit alone. */
  withEdits?: boolean;
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
    running: readonly { task: string; epoch: number; step: number; cost: number; tokens: number }[],
    leaseUntil: number,
    now: number,
  ): Promise<{ task: string; epoch: number; reason: string }[]>;
  /**
   * Other wishes for a task that nobody has yet (queued, waiting, held), by the answer to `question`, while that is the last that was
   * asked. False: task or question had moved on, or they are its wishes already.
   */
  change(id: string, epoch: number, wishes: Partial<Pick<NewTask, "wanted" | "deadline">>, question: string, now: number): Promise<boolean>;
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
  /** Follow-ups of these tasks that were done, in the order of their end. */
  followUps(of: readonly string[]): Promise<Task[]>;
  /** Tasks that ended since `since` and have no letter `<prefix><task id>`, oldest first. */
  withoutLetter(prefix: string, since: number, limit: number): Promise<Task[]>;
  /** The task that this message is about, if any: of the letter that it is, keyed `<what>:<task id>`. */
  byCard(chat: number, message: number): Promise<Task | null>;
}
