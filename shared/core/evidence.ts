/**
 * What speaks against a test run, from what the work did to the tests themselves. Measured by the host; a model's word counts for nothing.
 * The rules see lines, not meaning: what they miss, the run of the tests as they were at the base catches.
 */
import * as z from "zod";
import type { TestCount } from "./test-counts.ts";
import { definesOtherTests, isCi, isTestCode, isTestConfig, isTestFile, mayHoldTests } from "./test-files.ts";
import { marksIn } from "./test-marks.ts";

export const flagKinds = [
  "tests_deleted",
  "tests_skipped",
  "assertions_removed",
  "tests_edited",
  "test_command_changed",
  "ci_changed",
  "no_tests",
  "fewer_tests",
  "edited_after_tests",
] as const;
export type FlagKind = (typeof flagKinds)[number];

/** `text` is a clause that a person reads: `a test file is gone: test/sum.test.js`. */
export const flagSchema = z.strictObject({ kind: z.enum(flagKinds), text: z.string().max(400) });
export type Flag = z.infer<typeof flagSchema>;
export const mostFlags = 16;

/** With one of these a run that passes proves nothing by itself. The others are only told. */
const doubtful: readonly FlagKind[] = ["tests_deleted", "tests_skipped", "assertions_removed", "test_command_changed", "fewer_tests"];

export function isDoubtful({ kind }: Flag): boolean {
  return doubtful.includes(kind);
}

/** What is to be said beside a verdict: the flags that its reason does not tell already. */
export function flagsBeside({ flags, why }: { flags: readonly Flag[]; why: string }): Flag[] {
  return flags.filter(({ text }) => !why.includes(text));
}

/** What the work did to one file that tests are made of, or that says what they are. */
export interface FileChange {
  path: string;
  how: "added" | "edited" | "deleted" | "moved";
  /** Where it was, if it was moved. */
  from?: string;
  /** A script that the command which tests runs, itself or by the files that it goes by. */
  run?: true;
  /** Lines. */
  added: readonly string[];
  removed: readonly string[];
  /** The texts at the base and now, of files that say what the tests are; null where there is none, or it is no text. */
  before: string | null;
  after: string | null;
}

/** Whether what became of a file can matter here. */
export function concernsTests(path: string): boolean {
  return isTestFile(path) || isTestConfig(path) || isCi(path) || mayHoldTests(path);
}

/** Whether tests stood there at the base: a file of theirs was changed, or the run before did not count none. */
export function hadTests(changes: readonly FileChange[], before: TestCount | null): boolean {
  return before?.ran !== 0 || changes.some(touchesTest);
}

/** What the changes of a work to tests that were there say, before any is counted. */
export function flagsOf(changes: readonly FileChange[]): Flag[] {
  const flags: Flag[] = [];
  const tell = (kind: FlagKind, what: string, paths: readonly string[]) => {
    if (paths.length > 0) flags.push({ kind, text: `${what}: ${named(paths)}`.slice(0, 400) });
  };
  const gone = changes.filter(isGone);
  tell("tests_deleted", gone.length === 1 ? "a test file is gone" : `${gone.length} test files are gone`, gone.map(oldPath));

  const skipping: string[] = [];
  const weaker: string[] = [];
  const edited: string[] = [];
  for (const change of changes.filter((one) => one.how !== "deleted" && !isGone(one))) {
    const [now, then] = [marksIn(change.path, change.added), marksIn(change.path, change.removed)];
    const fresh = change.how === "added";
    if (mayHoldTests(change.path) && now.skips > then.skips) skipping.push(change.path);
    if (!fresh && mayHoldTests(change.path) && (now.tests < then.tests || now.claims < then.claims)) weaker.push(change.path);
    if (!fresh && isTestFile(change.path) && (change.removed.length > 0 || change.how === "moved")) edited.push(change.path);
  }
  tell("tests_skipped", "tests are skipped that were not", skipping);
  tell("assertions_removed", "fewer tests or assertions stand in", weaker);
  tell("tests_edited", "existing tests were edited", edited);
  tell("test_command_changed", "what says which tests run, and how, was changed", changes.filter(redefines).map(oldPath));
  tell("ci_changed", "what a server elsewhere tests by was changed", changes.filter(({ path }) => isCi(path)).map(oldPath));
  return flags;
}

/** That one told of tests, and the other tells of none. Some runners tell only of failures, so one that failed is no measure. */
export function isSilenced(before: CountedRun | null, after: TestCount | null | undefined): boolean {
  return before?.exitCode === 0 && (before.counted?.ran ?? 0) > 0 && !after;
}

interface CountedRun {
  exitCode: number | null;
  /** Absent where the runner's words were not known. */
  counted?: TestCount | undefined;
}

/** What the counts say of a run that passed, and of the one before. */
export function flagsOfCounts(runBefore: CountedRun | null, { counted: after }: CountedRun): Flag[] {
  const before = runBefore?.counted;
  if (after?.ran === 0) return [{ kind: "no_tests", text: "the test command ended with 0 but ran no test" }];
  if (!before) return [];
  if (!after)
    return isSilenced(runBefore, null)
      ? [{ kind: "fewer_tests", text: `how many tests ran is told no more; before it were ${before.ran}` }]
      : [];
  const more = after.skipped - before.skipped;
  return [
    ...(after.ran < before.ran
      ? [{ kind: "fewer_tests" as const, text: `fewer tests ran than before: ${before.ran}, now ${after.ran}` }]
      : []),
    ...(more > 0
      ? [{ kind: "tests_skipped" as const, text: `${more} more ${more === 1 ? "test was" : "tests were"} skipped than before` }]
      : []),
  ];
}

/**
 * The files to be put back to the base for a run of the tests as they were, or none if the tests that were there still stand as they did,
 * and nothing new may keep them from running.
 * With an old test the new ones go too: what they lean on may be gone.
 */
export function pathsOfBaseTests(changes: readonly FileChange[]): string[] {
  if (!changes.some((change) => redefines(change) || touchesTest(change) || mayEndOthers(change))) return [];
  const ofTests = changes.filter((change) => isTestFile(change.path) || isTestFile(oldPath(change)) || redefines(change));
  return [...new Set(ofTests.flatMap((change) => [change.path, oldPath(change)]))];
}

const oldPath = ({ path, from }: FileChange) => from ?? path;

function touchesTest(change: FileChange): boolean {
  return change.how !== "added" && isTestFile(oldPath(change));
}

/** A new file of tests in whose company the others may not run to their end. */
function mayEndOthers({ how, path, added }: FileChange): boolean {
  return how === "added" && isTestFile(path) && mayHoldTests(path) && marksIn(path, added).skips > 0;
}

/** A test that no runner finds any more: deleted, or moved to where it is none. */
function isGone(change: FileChange): boolean {
  if (!isTestCode(oldPath(change))) return false;
  return change.how === "deleted" || (change.how === "moved" && !isTestCode(change.path));
}

function redefines(change: FileChange): boolean {
  if (change.run) return true;
  return [change.path, oldPath(change)].some((path) => isTestConfig(path) && definesOtherTests(path, change.before, change.after));
}

const shown = 4;

function named(paths: readonly string[]): string {
  const list = paths.slice(0, shown).map((path) => (path.length > 80 ? `…${path.slice(-79)}` : path));
  return `${list.join(", ")}${paths.length > shown ? ` and ${paths.length - shown} more` : ""}`;
}
