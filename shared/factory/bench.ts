/** One attempt at the bench: what its parts (tests, commit, conclusion) know of it. */
import type { Order, Progress, Result } from "#core/envelope.ts";
import type { Worktree } from "#ports/workspace.ts";
import type { Grant } from "./branch.ts";
import type { Assignment } from "./lead.ts";

/** Told of every step, in order. Lossy: nobody waits for it. */
export type Tell = (kind: Progress["kind"], persona: string, text: string) => void;

export type Outcome = Omit<Result, "usages">;

export interface Bench {
  order: Order;
  grant: Grant;
  assigned: Assignment;
  worktree: Worktree;
  record: Tell;
  end(outcome: Outcome["outcome"], code: string, reason: string, more?: Partial<Outcome>): Outcome;
}
