/** A repository of the owner's, worked on in a worktree of the task's own. The owner's checkout is never touched. */
import type { FileChange } from "#core/evidence.ts";
import type { Receipt, Replayed } from "#core/receipt.ts";
import type { Setup } from "#core/setup.ts";

/** The branch of an attempt. */
export function branchOf({ task, epoch }: { task: string; epoch: number }): string {
  return `uac/${task}-${epoch}`;
}

export interface Worktree {
  /** Absolute path of the worktree. */
  path: string;
  /** The workspace that it is of, by name. */
  workspace: string;
  /** The repository's git directory, to be shown read-only. Absolute. */
  gitDir: string;
  /** Commit it started from. */
  base: string;
  /** As `branchOf` names it. */
  branch: string;
  /** Files that the owner has changed and not committed, and that the work starts without. */
  uncommitted: number;
  /** The branch that the owner's checkout was on when it was opened; null: on none. */
  into: string | null;
  /** Those that it starts with: `base` is then a commit of the host's that holds them. Null: it was not asked to. */
  replayed: Replayed | null;
  /** The command that tests it, or null. */
  test: string | null;
  /** What makes it ready, or null. By the files of `base`, or by the owner's setting. */
  setup: Setup | null;
}

/** What a repository tells whoever works on it, as it lay in the worktree: data, of which nothing was run or followed. */
export interface Conventions {
  /** The beginning of the root's AGENTS.md, else CLAUDE.md; `bytes` is the size of the whole, and `cut` says that this is not all of it. */
  notes: { path: string; text: string; bytes: number; cut: boolean } | null;
  skills: { name: string; description: string; path: string }[];
  /** Skills that are there beyond these. */
  more: number;
}

export type Changes = Pick<Receipt, "head" | "diffstat" | "patch" | "patchSha256">;

export interface Workspaces {
  names(): string[];
  /** Makes the worktree, or finds it again after a crash. Rejects with `workspace_failed`. */
  open(workspace: string, task: string, epoch: number, how?: { withEdits: boolean }): Promise<Worktree>;
  /** @param masked paths that are closed to whoever works there. Absolute */
  conventions(worktree: Worktree, masked: readonly string[]): Promise<Conventions>;
  /**
   * Commits everything but artefacts, by the host, with hooks and filters off. Without changes head stays null; with
   * `author` null too: then nothing is committed, and the changes are only measured.
   */
  commit(worktree: Worktree, message: string, author: { name: string; email: string } | null): Promise<Changes>;
  /** What became, since the base, of the files that tests are made of: as the last `commit` committed or measured it. */
  testChanges(worktree: Worktree): Promise<FileChange[]>;
  /**
   * Awaits `run` while these files (relative, with `/`) are as they were at the base, and puts them back after it; if it was killed
   * meanwhile, the next `open` does.
   */
  asAtBase<T>(worktree: Worktree, paths: readonly string[], run: () => Promise<T>): Promise<T>;
  /** Removes the worktree; its branch stays if it has a commit of its own. Repeatable. */
  close(worktree: Pick<Worktree, "branch">): Promise<void>;
  /** Closes all worktrees but those of these attempts: a factory that was killed may have left some. */
  tidy(open: readonly { task: string; epoch: number }[]): Promise<void>;
  /**
   * Deletes branches of closed worktrees that are merged, or closed longer than `retainMs` ago: none that moved since, or is checked out.
   * Resolves to those that went.
   */
  sweep(by: { now: number; retainMs: number }): Promise<string[]>;
}
