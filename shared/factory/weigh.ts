/** What the harness's test runs are worth: what became of the tests since the base, and whether they pass as they were there. */
import { type Flag, flagsOf, flagsOfCounts, hadTests, mostFlags, pathsOfBaseTests } from "#core/evidence.ts";
import { judge, type Receipt, type TestRun } from "#core/receipt.ts";
import type { Entry } from "#ports/transcript.ts";
import type { Changes, Worktree } from "#ports/workspace.ts";
import type { Bench } from "./bench.ts";
import type { Workshop } from "./branch.ts";
import { runTests, type Test } from "./test-runs.ts";

/** More than these and the tests as they were are not put back: whoever changes so many is to be looked at by a person. */
const mostPutBack = 500;

export interface Measured {
  before: TestRun | null;
  after: TestRun | null;
  changes: Changes;
  /** Commands may run here. */
  mayRun: boolean;
}

type Weighed = Pick<Receipt, "verdict" | "why" | "flags" | "testsOfBase">;

/** Resolves with the verdict, and with what it rests on. Rejects with `workspace_failed`. */
export async function weigh(deps: Workshop, bench: Bench, test: Test, { before, after, changes, mayRun }: Measured): Promise<Weighed> {
  const none = { flags: [], testsOfBase: null };
  if (changes.diffstat.files === 0) {
    return { verdict: "unverified", why: mayRun ? "nothing was changed, so there was nothing to test" : noCommand, ...none };
  }
  const changed = await deps.workspaces.testChanges(bench.worktree);
  const ofOldTests = hadTests(changed, before?.counted ?? null);
  const paths = ofOldTests ? pathsOfBaseTests(changed) : [];
  const passed = after?.exitCode === 0;
  const testsOfBase = passed && paths.length > 0 && paths.length <= mostPutBack ? await atBase(deps, bench, { test, paths }) : null;
  const flags = [
    ...flagsOf(changed).filter(({ kind }) => ofOldTests || kind !== "test_command_changed"),
    ...(passed ? flagsOfCounts(before, after) : []),
    ...ownRun(await ownEntries(deps, bench), bench.worktree, bench.assigned.persona),
  ]
    .slice(0, mostFlags)
    .map(({ kind, text }) => ({ kind, text: deps.redactor.clean(text).slice(0, 400) }));
  if (!mayRun) return { verdict: "unverified", why: noCommand, flags, testsOfBase };
  return { ...judge(before, after, { flags, touched: paths.length > 0, ofBase: testsOfBase }), flags, testsOfBase };
}

const noCommand = "no command may run here, so no test did";

async function atBase(deps: Workshop, bench: Bench, { test, paths }: { test: Test; paths: readonly string[] }): Promise<TestRun | null> {
  bench.record("started", bench.assigned.persona, "the tests were changed, so they run once more as they were before");
  return deps.workspaces.asAtBase(bench.worktree, paths, () => runTests(deps, bench, test));
}

function ownEntries(deps: Workshop, { order }: Bench): Promise<Entry[]> {
  return deps.journal.transcript(order.task, order.epoch).load();
}

const edits = ["edit", "write", "apply_patch"];
const runners =
  /\b(npm|pnpm|yarn|bun|deno|make|just|rake|tox|nox|mvn|gradlew?|dotnet|mix|swift|go|cargo|composer)\b[^;&|]*\btest|\b(pytest|unittest|vitest|jest|mocha|ava|rspec|phpunit|ctest|nextest)\b|\bnode\b[^;&|]*--test/;

/** Whether the model's own last run of tests is older than its last edit. The harness's is not: so this is told, and proves nothing. */
export function ownRun(entries: readonly Entry[], { test }: Pick<Worktree, "test">, persona: string): Flag[] {
  // A run of tests that fail is no failed call.
  const failed = new Set(entries.flatMap((entry) => (entry.type === "result" && entry.isError ? [entry.toolUseId] : [])));
  const uses = entries.flatMap((entry) => (entry.type === "assistant" ? entry.content : [])).filter((block) => block.type === "tool_use");
  const lastEdit = uses.findLastIndex(({ id, name }) => edits.includes(name) && !failed.has(id));
  const lastRun = uses.findLastIndex(({ id, name, input }) => name === "bash" && !failed.has(id) && runsTests(input, test));
  if (lastEdit < 0 || lastRun > lastEdit) return [];
  const when = lastRun < 0 ? "ran no tests" : "ran no tests after the last edit";
  return [{ kind: "edited_after_tests", text: `${persona} ${when}` }];
}

function runsTests(input: unknown, test: string | null): boolean {
  const command = typeof input === "object" && input !== null && "command" in input ? String(input.command) : "";
  return runners.test(command) || (test !== null && command.includes(test));
}
