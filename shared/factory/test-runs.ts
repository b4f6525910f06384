/** The harness runs the repository's tests, in the sandbox: before the first edit and after the last. */
import { type TestRun, testRunSchema } from "#core/receipt.ts";
import { countTests } from "#core/test-counts.ts";
import { attemptFact } from "#ports/journal.ts";
import type { Llm } from "#ports/llm.ts";
import type { SandboxScope } from "#ports/sandbox.ts";
import type { Bench } from "./bench.ts";
import type { Workshop } from "./branch.ts";

/** A test run may take this long, but never longer than the whole work may; it keeps so much of what it prints. */
export const testTimeoutMs = 10 * 60_000;
/** Bytes that are read for counts; beyond it nothing is counted, since the middle is missing. */
const outputBytes = 1024 ** 2;
const testTailChars = 3500;

export interface Test {
  scope: SandboxScope;
  timeoutMs: number;
}

/** The tests before the first edit: kept in the journal, since after a restart the worktree is no longer at its base. */
export async function testsAtBase(deps: Workshop, bench: Bench, test: Test): Promise<TestRun | null> {
  const { order, grant } = bench;
  const key = attemptFact("tests-at-base", order);
  const kept = await deps.journal.get(key);
  if (kept !== null) return testRunSchema.nullable().parse(JSON.parse(kept));
  const run = await runTests(deps, bench, test);
  if (!grant.signal.aborted) await deps.journal.set(key, JSON.stringify(run));
  return run;
}

/**
 * The model is asked while the tests at base still run, and its reply is acted on when they are over: from then on the files change. Whether
 * they came to a result is for whoever awaits them.
 */
export function actedOnAfter(tests: Promise<unknown>, llm: Llm): Llm {
  return {
    ...llm,
    async complete(request) {
      const [reply] = await Promise.all([llm.complete(request), tests.catch(() => null)]);
      return reply;
    },
  };
}

export async function runTests(
  deps: Workshop,
  { worktree, grant, assigned, record }: Bench,
  { scope, timeoutMs }: Test,
): Promise<TestRun | null> {
  if (!worktree.test) return null;
  const run = await deps.sandbox.run(scope, {
    command: worktree.test,
    cwd: worktree.path,
    timeoutMs,
    env: { CI: "true" },
    maxOutput: outputBytes,
    signal: grant.signal,
  });
  if (run.timedOut) record("started", assigned.persona, `the tests did not end: ${worktree.test} was stopped after ${timeoutMs / 1000} s`);
  const tail = deps.redactor.clean(run.limit ? `${run.output}\n[${run.limit}]` : run.output).slice(-testTailChars);
  const counted = run.truncated ? null : countTests(run.output);
  return { command: worktree.test.slice(0, 2000), exitCode: run.exitCode, durationMs: run.durationMs, tail, ...(counted && { counted }) };
}
