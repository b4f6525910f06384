/** What is done with a finished branch in a repository of the owner's: by the host, never by a model. */
import type { Follow, Prospects } from "#core/follow-up.ts";
import type { Worktree } from "./workspace.ts";

/** What was observed when it was done. */
export interface Done {
  already: boolean;
  ref: string;
  head: string | null;
  answer: string;
  url: string | null;
}

/** Who makes a merge commit. */
export interface Author {
  name: string;
  email: string;
}

/** Every method but `prospects` is repeatable, and rejects with `conflict` (it can't be done as approved, and why) or `workspace_failed`. */
export interface FollowUps {
  /** What can become of the branch of this worktree, as far as this machine goes. `mayPush`: whether anything may leave it. */
  prospects(worktree: Worktree, mayPush: boolean): Promise<Prospects>;
  /** The remote that a branch goes to now, without credentials; null: none that is spoken to. */
  remoteOf(workspace: string, into: string | null): Promise<string | null>;
  /** Clean merges only; a checkout that is on the target is moved along with it, or nothing is done. */
  merge(workspace: string, follow: Follow, author: Author): Promise<Done>;
  /** Never by force. */
  push(workspace: string, follow: Follow, signal: AbortSignal): Promise<Done>;
  /** Pushes, then asks for a pull request, or finds the one that is open. */
  openPullRequest(workspace: string, follow: Follow, signal: AbortSignal): Promise<Done>;
  /** Deletes the branch if its tip is the commit that was approved. */
  discard(workspace: string, follow: Follow): Promise<Done>;
}
