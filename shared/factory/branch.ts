/** What a factory's verbs are given: ports and settings, made once by a program's compose.ts. */

import type { PublicKey } from "#core/hq-api.ts";
import type { Action, OpsToken } from "#core/ops-token.ts";
import type { PriceOf } from "#core/prices.ts";
import type { CommandRun } from "#core/receipt.ts";
import type { VpSeat } from "#core/vp.ts";
import type { Bus } from "#ports/bus.ts";
import type { Clock } from "#ports/clock.ts";
import type { FollowUps } from "#ports/follow-up.ts";
import type { Hq } from "#ports/hq.ts";
import type { Ids } from "#ports/ids.ts";
import type { Journal } from "#ports/journal.ts";
import type { Llm } from "#ports/llm.ts";
import type { Log } from "#ports/log.ts";
import type { Metering } from "#ports/metering.ts";
import type { Redactor } from "#ports/redactor.ts";
import type { Sandbox, SandboxScope } from "#ports/sandbox.ts";
import type { Signer, Verifier } from "#ports/signer.ts";
import type { Tool } from "#ports/tool.ts";
import type { Entry } from "#ports/transcript.ts";
import type { Workspaces, Worktree } from "#ports/workspace.ts";
import type { Allowances } from "./allowances.ts";
import type { Profile } from "./profile.ts";
import type { WaitingLine } from "./waiting-line.ts";

/** What one attempt is worked with, whoever ordered it. */
export interface Workshop {
  /** The factory's id. */
  self: string;
  profile: Profile;
  journal: Journal;
  workspaces: Workspaces;
  followUps: FollowUps;
  sandbox: Sandbox;
  clock: Clock;
  ids: Ids;
  log: Log;
  redactor: Redactor;
  /** This run of the program: what an earlier one left reserved is nobody's. */
  life: string;
  /** Where calls wait for their budgets. */
  line: WaitingLine;
  /** The budgets of this factory, and those that headquarters told it of. */
  allowances: Allowances;
  /** A VP's model, all of whose calls go by `metering`. To be closed when the run is over: what is under way then is broken off. */
  inferenceFor(seat: VpSeat, metering: Metering): Promise<Inference>;
  priceOf: PriceOf;
  /** The hands of a VP, bound to one worktree, one scope, and the actions that the Ops Token grants. To be closed when the run is over. */
  handsFor(bench: Workbench): Hands;
}

/** A factory that headquarters knows: its workshop, and the way there. `self` is its id as enrolled. */
export interface Branch extends Workshop {
  version: string;
  /** HQ's key, pinned at enrolment. */
  hqKey: PublicKey;
  hqKid: string;
  hq: Hq;
  bus: Bus;
  signer: Signer;
  verifier: Verifier;
}

export interface Inference {
  llm: Llm;
  close(): Promise<void>;
}

export interface Hands {
  tools: readonly Tool[];
  /** What the model must hear of what it left running: each said once in a transcript. */
  news(entries: readonly Entry[]): string[];
  /** Ends whatever they left running. Resolves when nothing of it is left. */
  close(): Promise<void>;
}

export interface Workbench {
  task: string;
  epoch: number;
  /** Who uses them: some tools are for some models. */
  seat: VpSeat;
  worktree: Worktree;
  sandbox: Sandbox;
  scope: SandboxScope;
  allowed: readonly Action[];
  /** Tool names of the VP. */
  names: readonly string[];
  /** Told of every command that ran. Durable when it resolves. */
  ran(run: CommandRun): Promise<void>;
}

/** An attempt that may be worked: what may be done, and the signal that ends it. */
export interface Grant {
  token: Pick<OpsToken, "act" | "net" | "sec" | "lim" | "exp">;
  signal: AbortSignal;
  /** Nobody can be asked: whoever gave the order said whether what needs an approval is approved. */
  alone?: { approves: boolean };
  /** Resolves once something more was said about this attempt than at the call. */
  news(): Promise<void>;
}
