/** What the executor observed. Done is measured here, never claimed by a model. */
import * as z from "zod";
import { totalSchema } from "./ledger.ts";
import { maxSetupHosts } from "./setup.ts";

export const verdicts = ["verified", "unverified", "regressed"] as const;
export type Verdict = (typeof verdicts)[number];

const shortText = z.string().max(2000);

export const commandRunSchema = z.strictObject({
  command: shortText,
  exitCode: z.int().nullable(),
  durationMs: z.int().nonnegative(),
});

export type CommandRun = z.infer<typeof commandRunSchema>;

export const testRunSchema = z.strictObject({
  command: shortText,
  /** Null: it did not end by itself (time limit, killed). */
  exitCode: z.int().nullable(),
  durationMs: z.int().nonnegative(),
  /** The end of what it printed. */
  tail: z.string().max(4000),
});
export type TestRun = z.infer<typeof testRunSchema>;

/** What became of the workspace's set-up. `declined`: nobody approved it; `impossible`: the sandbox could not run it. */
export const setupRunSchema = z.strictObject({
  ...testRunSchema.shape,
  hosts: z.array(z.string().max(260)).max(maxSetupHosts),
  /** SHA-256 of what was approved, hex. */
  digest: z.string().max(64),
  state: z.enum(["ran", "declined", "impossible"]),
  /** Who approved or declined it, for people. */
  by: z.string().max(100),
});
export type SetupRun = z.infer<typeof setupRunSchema>;

/** The owner's uncommitted files, as the host committed them on top of `from` for the work to start with. */
export const replayedSchema = z.strictObject({
  from: z.string().max(64),
  files: z.int().nonnegative(),
  /** Files that were left out (artefacts, large ones, repositories of their own), the first of them. */
  left: z.array(z.string().max(300)).max(20),
});
export type Replayed = z.infer<typeof replayedSchema>;

export const receiptSchema = z.strictObject({
  verdict: z.enum(verdicts),
  why: shortText,
  base: z.string().max(64).nullable(),
  /** Absent where the work started from the last commit alone. */
  replayed: replayedSchema.optional(),
  /** Absent where the workspace has no set-up, or no command may run. */
  setup: setupRunSchema.optional(),
  head: z.string().max(64).nullable(),
  branch: z.string().max(200).nullable(),
  diffstat: z.strictObject({ files: z.int(), insertions: z.int(), deletions: z.int(), text: z.string().max(8000) }),
  /** The patch, or null where it is too large for the bus: then it stays in the worktree, known by its digest. */
  patch: z.string().max(150_000).nullable(),
  patchSha256: z.string().max(64).nullable(),
  commands: z.array(commandRunSchema).max(400),
  testsBefore: testRunSchema.nullable(),
  testsAfter: testRunSchema.nullable(),
  steps: z.int().nonnegative(),
  /** What the attempt spent, to the token; null in a receipt of an older factory. */
  usage: totalSchema.nullable().default(null),
  wallMs: z.int().nonnegative(),
  /** Limits that ended the work, by name. */
  limitsHit: z.array(z.string().max(64)).max(16),
  approvals: z.array(z.string().max(64)).max(64),
});
export type Receipt = z.infer<typeof receiptSchema>;

/** The verdict of two test runs around the work. The harness runs `after` when the last edit is done. */
export function judge(before: TestRun | null, after: TestRun | null): { verdict: Verdict; why: string } {
  if (!after) {
    const why = before ? "the tests were not run after the last edit" : "the repository names no tests that could be run";
    return { verdict: "unverified", why };
  }
  if (after.exitCode === 0) {
    const fixed = before && before.exitCode !== 0;
    return { verdict: "verified", why: fixed ? "the tests failed before and pass now" : "the tests pass" };
  }
  if (!before) return { verdict: "unverified", why: "the tests fail now, and were not run before" };
  if (before.exitCode !== 0) return { verdict: "unverified", why: "the tests failed before and still fail" };
  return { verdict: "regressed", why: "the tests passed before and fail now" };
}
