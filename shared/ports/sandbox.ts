/** Runs one command where it can harm nothing but its worktree. Fails closed: no sandbox, no command. */
export interface SandboxScope {
  /** The one place that may be written to; everything else that is visible is read-only. Absolute. */
  worktree: string;
  /** False: the worktree is read-only too. */
  writable?: boolean;
  /** Visible and read-only inside, beside the system: the repository's own `.git`, say. Absolute. */
  readOnly: readonly string[];
  /** Bound over with nothing, beside the files of the worktree that hold credentials. Absolute. */
  masked: readonly string[];
  /** Of those files the ones that are shown all the same: paths in the worktree, or patterns of such. */
  opened?: readonly string[];
  /** What may be reached (`#core/hosts.ts`), asked for each connection; empty is no network at all. */
  network: readonly string[];
}

export interface SandboxCommand {
  /** Run by `/bin/bash -c`. */
  command: string;
  cwd: string;
  timeoutMs: number;
  /** Beside what the sandbox itself sets: PATH, HOME, TMPDIR and what keeps tools quiet. Nothing else is inherited. */
  env: Readonly<Record<string, string>>;
  /** Standard output and error together; the middle is dropped beyond it. Bytes. */
  maxOutput: number;
  signal?: AbortSignal;
  /** Told of the output as it comes, whole, before `maxOutput`. */
  onOutput?(chunk: Uint8Array): void;
}

export interface SandboxRun {
  /** Null: killed by time limit, abort or signal. */
  exitCode: number | null;
  timedOut: boolean;
  output: string;
  truncated: boolean;
  durationMs: number;
  /** Connections that were not let through, in sentences; a few of them. */
  refusals?: readonly string[];
  /** Which bound it hit, as a sentence for whoever ran it, without an end: `it was refused processes …`. */
  limit?: string;
}

export interface Sandbox {
  /** What it is, for receipts and status: `bubblewrap 0.8.0`. */
  readonly name: string;
  /** Rejects with `sandbox_unavailable` (and what to install) if nothing can be confined here. */
  check(): Promise<void>;
  /** A worktree's commands are about to come: makes what they share, beside whatever else is done. What fails is told by the first of them. */
  enter(worktree: string): void;
  run(scope: SandboxScope, command: SandboxCommand): Promise<SandboxRun>;
  /** A worktree's last command has been run: ends whatever is left, and gives back what was kept for it. Repeatable. */
  leave(worktree: string): Promise<void>;
  /** How commands are bounded here, and how not, in sentences; empty until `check` has found out. */
  bounds(): string[];
}
