/** What the executor observed. Done is measured here, never claimed by a model. */
import * as z from "zod";
import { type Flag, flagSchema, isDoubtful, isSilenced, mostFlags } from "./evidence.ts";
import { followedSchema, prospectsSchema } from "./follow-up.ts";
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
  /** As its runner counted them; absent where it did not. */
  counted: z.strictObject({ ran: z.int().nonnegative(), skipped: z.int().nonnegative() }).optional(),
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
  /** After the work, with the tests as they were at the base; null where they still stood as they were, or the run before it failed. */
  testsOfBase: testRunSchema.nullable().default(null),
  /** What speaks against the tests, or was to be said of them. */
  flags: z.array(flagSchema).max(mostFlags).default([]),
  steps: z.int().nonnegative(),
  /** What the attempt spent, to the token; null in a receipt of an older factory. */
  usage: totalSchema.nullable().default(null),
  wallMs: z.int().nonnegative(),
  /** Limits that ended the work, by name. */
  limitsHit: z.array(z.string().max(64)).max(16),
  approvals: z.array(z.string().max(64)).max(64),
  /** What can become of the branch; null: there is none, or an older factory. */
  prospects: prospectsSchema.nullable().default(null),
  /** What a follow-up came to; null in the receipt of a piece of work. */
  followed: followedSchema.nullable().default(null),
});
export type Receipt = z.infer<typeof receiptSchema>;

/** What was found out about the tests, beside their two runs. */
export interface Evidence {
  flags: readonly Flag[];
  /** The tests that stood at the base were touched: then what they say as they were decides. */
  touched: boolean;
  ofBase: TestRun | null;
}

const nothingFound: Evidence = { flags: [], touched: false, ofBase: null };

/** The verdict of two test runs around the work, and of what the work did to the tests. The harness runs `after` when the last edit is done. */
export function judge(before: TestRun | null, after: TestRun | null, evidence = nothingFound): { verdict: Verdict; why: string } {
  if (!after) {
    const why = before ? "the tests were not run after the last edit" : "the repository names no tests that could be run";
    return { verdict: "unverified", why };
  }
  if (after.exitCode === 0) return judgePassed(before, after, evidence);
  if (!before) return { verdict: "unverified", why: "the tests fail now, and were not run before" };
  // No exit code: they were stopped, by time or another limit.
  if (before.exitCode !== 0) {
    return {
      verdict: "unverified",
      why: `the tests failed before and ${after.exitCode === null ? "do not end by themselves now" : "still fail"}`,
    };
  }
  return { verdict: "regressed", why: `the tests passed before and ${after.exitCode === null ? "do not end by themselves" : "fail"} now` };
}

function judgePassed(before: TestRun | null, after: TestRun, { flags, touched, ofBase }: Evidence): { verdict: Verdict; why: string } {
  const passes = before && before.exitCode !== 0 ? "the tests failed before and pass now" : "the tests pass";
  if (after.counted?.ran === 0) return { verdict: "unverified", why: "the test command ended with 0, but ran no test" };
  if (ofBase) {
    if (ofBase.exitCode !== 0) {
      const how = ofBase.exitCode === null ? "do not end by themselves" : "fail";
      return { verdict: "unverified", why: `${passes} as this work changed them, but ${how} as they were before it` };
    }
    if (ofBase.counted && before?.counted && ofBase.counted.ran < before.counted.ran) {
      return {
        verdict: "unverified",
        why: `${passes}, but fewer of those that were there ran: ${before.counted.ran}, now ${ofBase.counted.ran}`,
      };
    }
    if (isSilenced(before, ofBase.counted)) {
      return { verdict: "unverified", why: `${passes}, but it is told no more how many of those that were there ran` };
    }
    return { verdict: "verified", why: `${passes}, also as they were before this work changed them` };
  }
  const doubt = flags.find(isDoubtful);
  if (doubt) return { verdict: "unverified", why: `${passes}, but ${doubt.text}` };
  if (touched) return { verdict: "unverified", why: `${passes}, but could not be run as they were before this work changed them` };
  return { verdict: "verified", why: passes };
}
