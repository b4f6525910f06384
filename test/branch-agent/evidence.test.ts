/** What the tests of a repository are worth after the work, on real git, in the real sandbox, with a real runner. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { finish, use } from "../factory/agent.ts";
import { attempt, commitAll } from "./attempt.ts";
import { eachInARepository, git, put, repo } from "./repository.ts";

eachInARepository();

const header = 'import test from "node:test";\nimport assert from "node:assert";\nimport { sum } from "../sum.js";\n';
beforeEach(() => {
  put(repo, {
    "sum.js": "export const sum = (a, b) => a - b;\n",
    "test/sum.test.js": `${header}test("adds", () => {\n  assert.equal(sum(1, 2), 3);\n});\n`,
    "test/more.test.js": `${header}test("adds none", () => {\n  assert.equal(sum(1, 0), 1);\n});\n`,
    "package.json": '{"type":"module","scripts":{"test":"node --test"}}\n',
  });
  rmSync(join(repo, "src"), { recursive: true });
  commitAll();
});

const read = { tools: ["sum.js", "test/sum.test.js", "package.json"].map((path) => use("read", { path })) };
const edit = (path: string, old: string, now: string) => use("edit", { path, edits: [{ old, new: now }] });
const fix = edit("sum.js", "a - b", "a + b");
const test = use("bash", { command: "npm test" });
const assertion = "  assert.equal(sum(1, 2), 3);\n";
const demanding = { requireVerified: true };

describe("tests that pass because they were", () => {
  const own = { kind: "edited_after_tests" };
  it.each<[string, ReturnType<typeof use>, object[]]>([
    ["weakened", edit("test/sum.test.js", assertion, ""), [{ kind: "assertions_removed" }, { kind: "tests_edited" }, own]],
    [
      "skipped",
      edit("test/sum.test.js", 'test("adds"', 'test.skip("adds"'),
      [{ kind: "tests_skipped" }, { kind: "tests_edited" }, { kind: "fewer_tests" }, { kind: "tests_skipped" }, own],
    ],
    ["deleted", use("bash", { command: "rm test/sum.test.js" }), [{ kind: "tests_deleted" }, { kind: "fewer_tests" }]],
    [
      "left out by another command",
      edit("package.json", "node --test", "node --test test/more.test.js"),
      [{ kind: "test_command_changed" }, { kind: "fewer_tests" }, own],
    ],
    ["not run at all", edit("package.json", "node --test", "true"), [{ kind: "test_command_changed" }, own]],
  ])("%s verify nothing", async (_, cheat, flags) => {
    const { outcome } = await attempt([read, { tools: [cheat] }, finish()], demanding);
    expect(outcome).toMatchObject({
      ...{ outcome: "failed", code: "not_verified", reason: expect.stringContaining("fail as they were before it") },
      receipt: {
        ...{ verdict: "unverified", testsBefore: { exitCode: 1, counted: { ran: 2 } }, testsAfter: { exitCode: 0 }, flags },
        testsOfBase: { exitCode: 1, counted: { ran: 2 } },
      },
    });
  });
});

describe("work that fixes what they test", () => {
  it("is verified although it also changed them, since they pass as they were; what is committed is the work", async () => {
    const { outcome } = await attempt([read, { tools: [edit("test/sum.test.js", assertion, ""), fix, test] }, finish()], demanding);
    expect(outcome).toMatchObject({
      outcome: "succeeded",
      receipt: {
        ...{ verdict: "verified", why: "the tests failed before and pass now, also as they were before this work changed them" },
        ...{ testsOfBase: { exitCode: 0 }, flags: [{ kind: "assertions_removed" }, { kind: "tests_edited" }] },
      },
    });
    expect(git("show", "uac/t1-1-1-1:test/sum.test.js")).not.toContain("assert.equal");
  });

  it("with new tests beside them is verified by one run after it", async () => {
    const added = use("write", { path: "test/new.test.js", content: `${header}test("new", () => {\n  assert.equal(sum(2, 2), 4);\n});\n` });
    const { outcome } = await attempt([read, { tools: [fix, added, test] }, finish()], demanding);
    expect(outcome.receipt).toMatchObject({ verdict: "verified", testsAfter: { counted: { ran: 3 } }, testsOfBase: null, flags: [] });
  });
});
