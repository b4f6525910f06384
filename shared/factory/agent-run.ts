/** One agent's run: what it is made of, and how it may end. */
import type { Budget } from "#core/budget.ts";
import type { Limits } from "#core/limits.ts";
import type { Clock } from "#ports/clock.ts";
import type { Llm, Message } from "#ports/llm.ts";
import type { OverBudget } from "#ports/metering.ts";
import type { Tool } from "#ports/tool.ts";
import type { Entry, Transcript } from "#ports/transcript.ts";
import type { Spent } from "./metering.ts";

export interface AgentRun {
  system: string;
  /** What was said before this run; the same at every resume. */
  preface: readonly Message[];
  prompt: string;
  tools: readonly Tool[];
  transcript: Transcript;
  /** Metered: every try of a call is in the ledger before its answer is here. */
  llm: Llm;
  /** What the run has spent so far, before a restart too. */
  spent(): Spent;
  limits: Limits;
  /** Clock time at which it must be over; asked again at every step, since it moves while a run stands still. */
  deadline(): number;
  clock: Clock;
  signal: AbortSignal;
  /** True: an answer without a tool call ends the run. False: only the finish tool does. */
  mayAnswer: boolean;
  /** Idempotency keys start with it. */
  key: string;
  /** Asked before every call of the model or a tool. False: the run pauses, to go on from its transcript another time. */
  mayGoOn?(): boolean;
  /**
   * Awaited between two steps, for as long as it takes. What it resolves to is appended: something that whoever works must hear
   * first, also where the run was about to end.
   */
  between?(entries: readonly Entry[]): Promise<readonly Entry[]>;
  /**
   * Where a budget holds no further call: awaited until one may be made, or something else is to be done; the loop then looks again.
   * Without it the run ends there, and also where others' calls hold the budget for longer than a call waits.
   */
  atCap?(error: OverBudget): Promise<void>;
  /** Somebody lets the run end before it is done; asked before every call. */
  endedBy?(): { code: string; reason: string } | null;
  /** Told after every step; never awaited for long. */
  onStep?(step: number, text: string): void;
}

export type AgentEnd =
  | { kind: "answered"; text: string; steps: number }
  | { kind: "finished"; status: "done" | "failed"; summary: string; steps: number }
  /** `budget`: it refused the call that was to come next; `reason` is the meter's sentence. */
  | { kind: "stopped"; code: string; reason: string; budget?: Budget; steps: number }
  | { kind: "paused"; steps: number };

/** An end as its finder knows it: the loop counts the steps. */
export type End = AgentEnd extends infer E ? (E extends AgentEnd ? Omit<E, "steps"> : never) : never;

/** A run as far as it came: all that it does next follows from its entries. */
export interface Progress {
  entries: readonly Entry[];
  append(entry: Entry): Promise<void>;
}
