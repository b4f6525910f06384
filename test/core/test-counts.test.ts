/** What runners print at their end, as they printed it. */
import { describe, expect, it } from "vitest";
import { countTests } from "#core/test-counts.ts";

const esc = String.fromCharCode(27);

describe("countTests", () => {
  it.each<[string, string, [ran: number, skipped: number] | null]>([
    [
      "node:test, TAP",
      "TAP version 13\nok 1 - a\n1..2\n# tests 5\n# suites 0\n# pass 3\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0\n",
      [4, 1],
    ],
    ["node:test, spec", "✔ a (0.5ms)\nℹ tests 2\nℹ suites 0\nℹ pass 2\nℹ fail 0\nℹ cancelled 0\nℹ skipped 0\nℹ todo 0\n", [2, 0]],
    ["node:test, none", "ℹ tests 0\nℹ pass 0\nℹ fail 0\n", [0, 0]],
    ["vitest", " Test Files  1 passed (1)\n      Tests  1 failed | 3 passed | 2 skipped | 1 todo (7)\n   Start at  10:00:00\n", [4, 3]],
    [
      "vitest in colours",
      `${esc}[2m      Tests ${esc}[22m ${esc}[1m${esc}[32m4 passed${esc}[39m${esc}[22m${esc}[90m (4)${esc}[39m`,
      [4, 0],
    ],
    ["vitest, none", "No test files found, exiting with code 0\n", [0, 0]],
    ["vitest, all files broken", " Test Files  1 failed (1)\n      Tests  no tests\n", [0, 0]],
    ["jest", "Test Suites: 1 passed, 1 total\nTests:       1 failed, 2 skipped, 3 passed, 6 total\nSnapshots:   0 total\n", [4, 2]],
    ["jest, none", "No tests found, exiting with code 0\n", [0, 0]],
    ["mocha", "\n  3 passing (5ms)\n  1 pending\n  2 failing\n", [5, 1]],
    ["pytest", "=== short test summary info ===\n==== 1 failed, 3 passed, 1 skipped, 1 xfailed in 0.12s ====\n", [4, 2]],
    ["pytest -q", "....\n4 passed in 0.01s\n", [4, 0]],
    ["pytest, long", "===== 4 passed, 2 warnings in 61.02s (0:01:01) =====\n", [4, 0]],
    ["pytest, none", "\nno tests ran in 0.00s\n", [0, 0]],
    ["unittest", "Ran 5 tests in 0.001s\n\nOK (skipped=2)\n", [3, 2]],
    ["unittest, none", "Ran 0 tests in 0.000s\n\nNO TESTS RAN\n", [0, 0]],
    [
      "cargo, several binaries",
      "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\ntest result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
      [6, 1],
    ],
    [
      "go -v",
      "=== RUN   TestA\n--- PASS: TestA (0.00s)\n    --- PASS: TestA/b (0.00s)\n--- SKIP: TestB (0.00s)\nPASS\nok  \tx\t0.001s\n",
      [1, 1],
    ],
    ["go, which does not count", "ok  \tx\t0.001s\n?   \ty\t[no test files]\n", null],
    ["go, none", "?   \tx\t[no test files]\nok  \ty\t0.001s [no tests to run]\n", [0, 0]],
    ["rspec", "5 examples, 1 failure, 2 pending\n", [3, 2]],
    ["phpunit", "OK (3 tests, 5 assertions)\n", [3, 0]],
    ["phpunit, not all", "Tests: 4, Assertions: 5, Failures: 1, Skipped: 1.\n", [3, 1]],
    [
      "Maven",
      "[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 1, Time elapsed: 0.1 s\n[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 1\n",
      [2, 1],
    ],
    ["dotnet", "Passed!  - Failed:     0, Passed:     3, Skipped:     1, Total:     4, Duration: 5 ms\n", [3, 1]],
    ["bun", " 3 pass\n 1 fail\n", [4, 0]],
    ["two workspaces", "ℹ tests 2\nℹ skipped 0\n> b@1 test\nℹ tests 3\nℹ skipped 1\n", [4, 1]],
    ["words that only look like it", "All tests passed\n3 tests, I think\n# tests\n", null],
    ["nothing", "", null],
  ])("%s", (_, output, expected) => {
    const counted = countTests(output);
    expect(counted && [counted.ran, counted.skipped]).toEqual(expected);
  });

  it("reads no line that is too long for a summary", () => {
    expect(countTests(`      Tests  ${"1".repeat(1_000_000)} (4)\n`)).toBeNull();
  });
});
