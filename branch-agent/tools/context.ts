/** What the coder's tools share in one run. */
import type { Action } from "#core/ops-token.ts";
import type { Sandbox, SandboxScope } from "#ports/sandbox.ts";
import type { Worktree } from "#ports/workspace.ts";
import type { Bounds } from "./confine.ts";
import type { Files } from "./files.ts";
import type { Jobs } from "./jobs.ts";

export interface CoderContext {
  worktree: Worktree;
  sandbox: Sandbox;
  scope: SandboxScope;
  /** Those that the VP is to have. */
  names: readonly string[];
  /** What the Ops Token grants: tools that need more are absent. */
  allowed: readonly Action[];
  redact(text: string): string;
  /** The model can be shown images. */
  seesImages: boolean;
  /** Where the whole output of commands is kept; outside the worktree. Absolute. */
  logDir: string;
  /** A command of the model's has ended. */
  ran(run: { command: string; exitCode: number | null; durationMs: number }): Promise<void>;
}

/** What one tool gets. */
export interface Bench extends CoderContext {
  bounds: Bounds;
  files: Files;
  jobs: Jobs;
}
