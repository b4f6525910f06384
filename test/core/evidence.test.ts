/** What a work's changes say of its tests. */
import { describe, expect, it } from "vitest";
import { type FileChange, flagSchema, flagsOf, flagsOfCounts, hadTests, isDoubtful, pathsOfBaseTests } from "#core/evidence.ts";
import { definesOtherTests, isNamedIn, isTestCode, isTestConfig, isTestFile, soundsLikeCheck } from "#core/test-files.ts";

const change = (path: string, more: Partial<FileChange> = {}): FileChange => ({
  ...{ path, how: "edited", added: [], removed: [], before: null, after: null },
  ...more,
});
const kinds = (...changes: FileChange[]) => flagsOf(changes).map(({ kind }) => kind);

describe("a test file, by its name", () => {
  it.each([
    ..."test/sum.js src/sum.test.ts src/sum.spec.tsx src/__tests__/sum.js tests/test_sum.py sum_test.go pkg/test_sum.py conftest.py".split(
      " ",
    ),
    ..."test.js packages/x/test.mjs tests.py app/tests.py test.sh run-tests.sh run_tests.py selftest.pl src/tests.rs sum-tests.ts".split(
      " ",
    ),
    ..."src/test/java/SumTest.java SumTests.cs spec/sum_spec.rb lib/sum_test.exs t/basic.t SumTest.php tests/sum.rs e2e/login.cy.ts".split(
      " ",
    ),
  ])("%s is one", (path) => expect(isTestCode(path)).toBe(true));

  it.each([
    ..."src/sum.js src/latest.ts Contest.java src/attest.py testing.md src/protest/x.go greatest.rb README.md src/inspect.js".split(" "),
    ..."src/test.ts src/commands/test.js lib/spec.rb check.py latests.py test-runner.js".split(" "),
  ])("%s is none", (path) => expect(isTestFile(path)).toBe(false));

  it.each(["test/fixtures/a.json", "src/__snapshots__/a.snap", "tests/data.csv"])("%s lies with them", (path) => {
    expect(isTestFile(path)).toBe(true);
  });
});

describe("a script that the test command runs", () => {
  it.each([
    ["sh check.sh", "check.sh"],
    ["cd x && ./tools/verify-all.py --fast", "tools/verify-all.py"],
    ['bash -c "./run.sh; true"', "run.sh"],
    ['{"scripts":{"test":"node \\"check.js\\""}}', "check.js"],
  ])("%s names %s", (commands, path) => expect(isNamedIn(commands, path)).toBe(true));

  it.each([
    ["sh check.sh", "x/check.sh"],
    ["sh precheck.sh", "check.sh"],
  ])("%s names no %s", (commands, path) => expect(isNamedIn(commands, path)).toBe(false));

  it("sounds like one, or does not", () => {
    expect(["check.py", "tools/verify-all.js", "run-ci.mjs"].map(soundsLikeCheck)).toEqual([true, true, true]);
    expect(["index.js", "pacific.py", "checkout.ts", "test/index.js"].map(soundsLikeCheck)).toEqual([false, false, false, false]);
  });

  it("decides as it was, whoever changed it", () => {
    const changed = change("check.sh", { run: true });
    expect([kinds(changed), pathsOfBaseTests([changed])]).toEqual([["test_command_changed"], ["check.sh"]]);
  });
});

describe("a test that no longer runs", () => {
  it.each<[string, string]>([
    ["a.test.ts", '  it.skip("adds", () => {'],
    ["a.test.ts", 'describe.only("one", () => {'],
    ["a.test.ts", '  xit("adds", () => {'],
    ["a.test.ts", 'test.todo("adds");'],
    ["a.test.mjs", 'test("adds", { skip: true }, () => {'],
    ["a.test.mjs", "  t.skip();"],
    ["test_a.py", "@pytest.mark.skip(reason='later')"],
    ["test_a.py", "@pytest.mark.xfail"],
    ["test_a.py", "@unittest.skipIf(True, 'later')"],
    ["test_a.py", "    pytest.skip('later')"],
    ["a_test.go", '\tt.Skip("later")'],
    ["a_test.go", "//go:build never"],
    ["src/lib.rs", "    #[ignore]"],
    ["src/lib.rs", '    #[ignore = "later"]'],
    ["ATest.java", "  @Disabled"],
    ["ATest.kt", '  @Ignore("later")'],
    ["ATests.cs", '  [Fact(Skip = "later")]'],
    ["a_spec.rb", '  xit "adds" do'],
    ["ATest.php", "    $this->markTestSkipped('later');"],
    ["test/a.cpp", "TEST(Sum, DISABLED_Adds) {"],
    ["a_test.exs", "  @tag :skip"],
    ["a_test.go", "func TestMain(m *testing.M) {}"],
    ["test_a.py", "os._exit(0)"],
    ["a.test.ts", "process.exit(0);"],
  ])("in %s: %s", (path, line) => {
    expect(kinds(change(path, { added: [line] }))).toEqual(["tests_skipped"]);
    expect(kinds(change(path, { how: "added", added: [line] })), "in a new file too").toEqual(["tests_skipped"]);
    expect(kinds(change(path, { added: [line], removed: [line] })), "moved, it is none").not.toContain("tests_skipped");
  });

  it.each<[string, string]>([
    ["a.test.ts", '  it("skips blanks", () => {'],
    ["a.test.ts", "  expect(list.skip(2)).toEqual([3]);"],
    ["a.test.ts", "// it.skip is not for us"],
    ["src/list.ts", "  list.skip(2); it.skip('x')"],
    ["test_a.py", "def test_skips_blanks():"],
    ["a_test.go", "func TestSkip(t *testing.T) {"],
    ["src/lib.rs", "    // #[ignore] would be wrong"],
  ])("not in %s: %s", (path, line) => expect(kinds(change(path, { added: [line] }))).toEqual([]));
});

describe("flagsOf", () => {
  it("tells of deleted tests, also of those moved to where they are none", () => {
    const changes = [change("test/a.test.js", { how: "deleted" }), change("old/b.txt", { how: "moved", from: "test/b.test.js" })];
    expect(flagsOf(changes)).toEqual([{ kind: "tests_deleted", text: "2 test files are gone: test/a.test.js, test/b.test.js" }]);
    expect(kinds(change("test/unit/a.test.js", { how: "moved", from: "test/a.test.js" }))).toEqual(["tests_edited"]);
    expect(kinds(change("src/a.js", { how: "deleted" }))).toEqual([]);
  });

  it("tells of assertions and tests that went, where none took their place", () => {
    const weaker = change("a.test.ts", {
      removed: ['  it("adds", () => {', "    expect(sum(1, 2)).toBe(3);"],
      added: ['  it("adds", () => {'],
    });
    expect(kinds(weaker)).toEqual(["assertions_removed", "tests_edited"]);
    expect(kinds(change("src/lib.rs", { removed: ["    #[test]", "    fn adds() {"] }))).toEqual(["assertions_removed"]);
    const commented = change("test_a.py", { removed: ["    assert sum(1, 2) == 3"], added: ["    # assert sum(1, 2) == 3"] });
    expect(kinds(commented)).toEqual(["assertions_removed", "tests_edited"]);
    expect(kinds(change("a.test.ts", { removed: ["  expect(a).toBe(1);"], added: ["  expect(a).toBe(2);"] }))).toEqual(["tests_edited"]);
  });

  it("says nothing of tests that were only added", () => {
    expect(
      kinds(change("a.test.ts", { added: ["  expect(a).toBe(1);"] }), change("b.test.ts", { how: "added", added: ["it('b')"] })),
    ).toEqual([]);
  });

  it("tells of what a server elsewhere tests by, which proves nothing here", () => {
    const [flag] = flagsOf([change(".github/workflows/ci.yml")]);
    expect(flag).toMatchObject({ kind: "ci_changed", text: expect.stringContaining("ci.yml") });
    expect(flag && isDoubtful(flag)).toBe(false);
  });

  it("bounds what it says", () => {
    const many = Array.from({ length: 500 }, (_, i) => change(`test/${"x".repeat(300)}${i}.test.js`, { how: "deleted" }));
    const [flag] = flagsOf(many);
    expect(flagSchema.safeParse(flag).success).toBe(true);
    expect(flag?.text).toMatch(/^500 test files are gone: .* and 496 more$/);
  });
});

describe("what says which tests run", () => {
  const pkg = (content: object) => JSON.stringify(content);
  it.each<[string, string, string | null, string | null, boolean]>([
    ["another test script", "package.json", pkg({ scripts: { test: "vitest" } }), pkg({ scripts: { test: "true" } }), true],
    [
      "a script before it",
      "package.json",
      pkg({ scripts: { test: "vitest" } }),
      pkg({ scripts: { test: "vitest", pretest: "rm x" } }),
      true,
    ],
    [
      "a script that it calls",
      "package.json",
      pkg({ scripts: { test: "npm run -s unit && pnpm e2e", unit: "a", e2e: "b" } }),
      pkg({ scripts: { test: "npm run -s unit && pnpm e2e", unit: "a", e2e: "true" } }),
      true,
    ],
    [
      "a script that it does not",
      "package.json",
      pkg({ scripts: { test: "a", dev: "b" } }),
      pkg({ scripts: { dev: "c", test: "a" } }),
      false,
    ],
    ["a dependency", "package.json", pkg({ scripts: { test: "a" } }), pkg({ scripts: { test: "a" }, dependencies: { b: "1" } }), false],
    ["a runner's settings", "package.json", pkg({ jest: {} }), pkg({ jest: { testMatch: [] } }), true],
    [
      "pytest's settings",
      "pyproject.toml",
      "[project]\nname='a'\n",
      "[project]\nname='a'\n[tool.pytest.ini_options]\naddopts='-k x'\n",
      true,
    ],
    [
      "a project's version",
      "pyproject.toml",
      "[project]\nversion='1'\n[tool.pytest]\nx=1",
      "[project]\nversion='2'\n[tool.pytest]\nx=1",
      false,
    ],
    ["a crate that is not tested", "Cargo.toml", "[package]\nname='a'\n", "[package]\nname='a'\nautotests = false\n", true],
    ["a crate's dependency", "Cargo.toml", "[dependencies]\n", "[dependencies]\nserde='1'\n", false],
    ["a new conftest.py", "tests/conftest.py", null, "collect_ignore = ['a']\n", true],
    ["the Makefile", "Makefile", "test:\n\tpytest\n", "test:\n\ttrue\n", true],
    ["a workspace's vitest.config", "packages/a/vitest.config.mts", "1", "2", true],
    ["npm's shell", ".npmrc", null, "script-shell=/bin/true\n", true],
    ["cargo's runner", ".cargo/config.toml", null, "[target.x]\nrunner = 'true'\n", true],
    ["Maven's tests", "core/pom.xml", "<a/>\n", "<a/>\n<skipTests>true</skipTests>\n", true],
    ["Gradle's tests", "build.gradle.kts", "plugins {}\n", "plugins {}\ntasks.test { enabled = false }\n", true],
    ["a project's version", "build.gradle", "version = 1\n", "version = 2\n", false],
    ["broken JSON", "package.json", pkg({ scripts: { test: "a" } }), "{", true],
  ])("%s", (_, path, before, after, other) => {
    expect(isTestConfig(path)).toBe(true);
    expect(definesOtherTests(path, before, after)).toBe(other);
    const how = before === null ? "added" : "edited";
    expect(kinds(change(path, { how, before, after })).includes("test_command_changed")).toBe(other);
  });

  it("is no other file", () =>
    expect(["src/make.ts", "config.json", "tsconfig.json", "vite.ts", "config.toml", "mypackage.json"].filter(isTestConfig)).toEqual([]));
});

describe("the tests as they were", () => {
  it("are put back with all that is of tests, once one of them was touched", () => {
    const moved = change("test/new/b.test.js", { how: "moved", from: "test/b.test.js" });
    const changes = [change("src/a.js"), change("test/a.test.js"), moved, change("test/c.test.js", { how: "added" })];
    expect(pathsOfBaseTests(changes)).toEqual(["test/a.test.js", "test/new/b.test.js", "test/b.test.js", "test/c.test.js"]);
  });

  it("run without a new one that may keep them from running", () => {
    const newcomer = change("all_test.go", { how: "added", added: ["func TestMain(m *testing.M) {}"] });
    expect(pathsOfBaseTests([newcomer, change("b_test.go", { how: "added" })])).toEqual(["all_test.go", "b_test.go"]);
  });

  it("stand as they did where only new ones came", () => {
    expect(pathsOfBaseTests([change("src/a.js"), change("test/c.test.js", { how: "added" }), change("package.json")])).toEqual([]);
  });

  it("are none where none ran before and no file of theirs was touched", () => {
    const first = [change("test/a.test.js", { how: "added" }), change("vitest.config.ts", { how: "added", after: "1" })];
    expect(hadTests(first, { ran: 0, skipped: 0 })).toBe(false);
    expect(hadTests(first, null), "nobody counted").toBe(true);
    expect(hadTests([change("test/a.test.js")], { ran: 0, skipped: 0 })).toBe(true);
  });
});

describe("flagsOfCounts", () => {
  const count = (ran: number, skipped = 0) => ({ exitCode: 0, counted: { ran, skipped } });
  const uncounted = { exitCode: 0 };
  it.each<[string, Parameters<typeof flagsOfCounts>, string[]]>([
    ["as many", [count(3), count(3)], []],
    ["more", [count(3), count(4)], []],
    ["fewer", [count(3), count(2)], ["fewer_tests"]],
    ["more skipped", [count(3), count(3, 1)], ["tests_skipped"]],
    ["none", [count(3), count(0)], ["no_tests"]],
    ["none, where nobody counted before", [null, count(0)], ["no_tests"]],
    ["not counted any more", [count(3), uncounted], ["fewer_tests"]],
    ["not counted any more, of a runner that may tell of failures alone", [{ ...count(3), exitCode: 1 }, uncounted], []],
    ["not counted before", [uncounted, count(2)], []],
  ])("%s", (_, counts, expected) => expect(flagsOfCounts(...counts).map(({ kind }) => kind)).toEqual(expected));
});
