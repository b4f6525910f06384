import { describe, expect, it } from "vitest";
import type { FlagKind } from "#core/evidence.ts";
import { noUsage } from "#core/ledger.ts";
import { type Evidence, judge, type Receipt, receiptSchema, type TestRun, type Verdict } from "#core/receipt.ts";

const run = (exitCode: number | null): TestRun => ({ command: "npm test", exitCode, durationMs: 10, tail: "" });
const runs = { none: null, passed: run(0), failed: run(1), "never ended": run(null) };
type Run = keyof typeof runs;

describe("judge", () => {
  /** Before, after, verdict, and a word that the reason must hold. */
  const table: [Run, Run, Verdict, RegExp][] = [
    ["none", "none", "unverified", /names no tests/],
    ["none", "passed", "verified", /pass/],
    ["none", "failed", "unverified", /were not run before/],
    ["none", "never ended", "unverified", /were not run before/],
    ["passed", "none", "unverified", /not run after/],
    ["passed", "passed", "verified", /^the tests pass$/],
    ["passed", "failed", "regressed", /passed before and fail now/],
    ["passed", "never ended", "regressed", /passed before and do not end by themselves now/],
    ["failed", "none", "unverified", /not run after/],
    ["failed", "passed", "verified", /failed before and pass now/],
    ["failed", "failed", "unverified", /still fail/],
    ["failed", "never ended", "unverified", /failed before and do not end by themselves now/],
    ["never ended", "none", "unverified", /not run after/],
    ["never ended", "passed", "verified", /failed before and pass now/],
    ["never ended", "failed", "unverified", /still fail/],
    ["never ended", "never ended", "unverified", /do not end by themselves now/],
  ];

  it("has a row for every pair", () => expect(table).toHaveLength(Object.keys(runs).length ** 2));

  it.each(table)("before %s, after %s: %s", (before, after, verdict, why) => {
    const judged = judge(runs[before], runs[after]);
    expect(judged.verdict).toBe(verdict);
    expect(judged.why).toMatch(why);
  });

  it("claims nothing about a run that was not made", () => {
    for (const [before, after] of table) {
      const { why } = judge(runs[before], runs[after]);
      if (before === "none") expect(why).not.toMatch(/before (and|they)|passed before|failed before/);
    }
  });

  describe("when they pass now, what was done to them counts", () => {
    const counted = (ran: number, exitCode = 0): TestRun => ({ ...run(exitCode), counted: { ran, skipped: 0 } });
    const flag = (kind: FlagKind) => ({ kind, text: `told of ${kind}` });
    it.each<[string, TestRun | null, TestRun, Partial<Evidence>, RegExp]>([
      ["nothing", run(1), run(0), {}, /^verified: .*failed before and pass now$/],
      ["a test deleted", run(1), run(0), { flags: [flag("tests_deleted")] }, /^unverified: .*pass now, but told of tests_deleted/],
      ["a test skipped", run(0), run(0), { flags: [flag("tests_skipped")] }, /^unverified: .*told of tests_skipped/],
      ["another command", run(1), run(0), { flags: [flag("test_command_changed")] }, /^unverified: .*told of test_command_changed/],
      ["fewer ran", run(1), run(0), { flags: [flag("fewer_tests")] }, /^unverified: .*told of fewer_tests/],
      [
        "edited, and the VP's own run was older",
        run(1),
        run(0),
        { flags: [flag("tests_edited"), flag("edited_after_tests")] },
        /^verified: .*now$/,
      ],
      ["touched, and not to be run as they were", run(1), run(0), { touched: true }, /^unverified: .*could not be run as they were/],
      ["touched, and they pass as they were", run(1), run(0), { touched: true, ofBase: run(0) }, /^verified: .*also as they were/],
      [
        "deleted, and they pass as they were",
        run(1),
        run(0),
        { flags: [flag("tests_deleted")], touched: true, ofBase: run(0) },
        /^verified: .*also as they were/,
      ],
      [
        "touched, and they fail as they were",
        run(0),
        run(0),
        { touched: true, ofBase: run(1) },
        /^unverified: .*fail as they were before it/,
      ],
      [
        "touched, and they never end as they were",
        run(0),
        run(0),
        { touched: true, ofBase: run(null) },
        /^unverified: .*do not end by themselves as they were before it/,
      ],
      [
        "touched, and fewer ran as they were",
        counted(9),
        counted(9),
        { touched: true, ofBase: counted(8) },
        /^unverified: .*fewer.*9, now 8/,
      ],
      [
        "touched, and nobody counts as they were",
        counted(9),
        counted(9),
        { touched: true, ofBase: run(0) },
        /^unverified: .*told no more how many/,
      ],
      ["no test ran", run(1), counted(0), {}, /^unverified: .*ran no test/],
      ["no test ran before either", counted(0), counted(0), {}, /^unverified: .*ran no test/],
    ])("%s", (_, before, after, found, why) => {
      const judged = judge(before, after, { flags: [], touched: false, ofBase: null, ...found });
      expect(`${judged.verdict}: ${judged.why}`).toMatch(why);
    });

    it("a failure stays one, whatever was done", () => {
      const evidence = { flags: [flag("tests_deleted")], touched: true, ofBase: null };
      expect(judge(run(0), run(1), evidence).verdict).toBe("regressed");
    });
  });

  it("takes any exit code but 0 as a failure", () => {
    for (const code of [1, 2, 127, 137, -1]) expect(judge(run(0), run(code)).verdict).toBe("regressed");
  });
});

describe("receiptSchema", () => {
  const receipt: Receipt = {
    ...{
      verdict: "verified",
      why: "the tests pass",
      base: "a".repeat(40),
      head: "b".repeat(40),
      branch: "uac/task",
      patch: null,
      patchSha256: null,
    },
    ...{
      diffstat: { files: 1, insertions: 2, deletions: 3, text: "" },
      commands: [],
      testsBefore: run(1),
      testsAfter: run(0),
      steps: 4,
      usage: { cost: 5000, calls: 2, unpriced: 0, usage: { ...noUsage, uncachedIn: 900, output: 40 } },
      wallMs: 5,
    },
    ...{ testsOfBase: null, flags: [], limitsHit: [], approvals: [], prospects: null, followed: null },
  };

  it("takes what an executor measured", () => expect(receiptSchema.parse(receipt)).toEqual(receipt));

  it("of an older factory says nothing of what was spent, and nothing of its tests", () => {
    const { usage: _, flags: __, testsOfBase: ___, ...older } = receipt;
    expect(receiptSchema.parse(older)).toEqual({ ...receipt, usage: null });
  });

  it.each([
    ["an invented verdict", { verdict: "perfect" }],
    ["an unknown key", { approved: true }],
    ["no verdict", { verdict: undefined }],
    ["half a step", { steps: 0.5 }],
    ["negative time", { wallMs: -1 }],
    ["a patch beyond the bus", { patch: "x".repeat(150_001) }],
  ])("refuses %s", (_, change) => expect(receiptSchema.safeParse({ ...receipt, ...change }).success).toBe(false));
});
