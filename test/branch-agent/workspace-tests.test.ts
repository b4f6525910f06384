/** What became of a worktree's tests, by git; and the tests as they were, for the time of a run. */
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { flagsOf, pathsOfBaseTests } from "#core/evidence.ts";
import { author, dir, eachInARepository, git, put, repo, workspaces } from "./repository.ts";

eachInARepository();

const body = Array.from({ length: 20 }, (_, i) => `line ${i}`).join("\n");

async function opened() {
  put(repo, {
    "test/sum.test.js": `test("adds", () => {\n  expect(sum(1, 2)).toBe(3);\n});\n`,
    "test/gone.test.js": "test('gone');\n",
    "test/moved.test.js": `${body}\n`,
    'test/ü "x".test.js': "one\n",
    "test/data.bin": Buffer.from([0, 1, 2]),
    Makefile: "test:\n\ttrue\n",
  });
  git("add", "-A");
  git("commit", "-qm", "tests");
  const all = workspaces();
  const worktree = await all.open("demo", "t", 1);
  const at = (name: string) => join(worktree.path, name);
  return { all, worktree, at, read: (name: string) => readFileSync(at(name), "utf8") };
}

describe("testChanges", () => {
  it("tells of every file that tests are made of, and of no other", async () => {
    const { all, worktree, at } = await opened();
    put(worktree.path, {
      "src/b.ts": "export const b = 2;\n",
      "test/sum.test.js": `test.skip("adds", () => {\n--- a/x\n+++ b/x\n});\n`,
      'test/ü "x".test.js': "two\n",
      "test/data.bin": Buffer.from([0, 1, 3]),
      "test/new.test.js": "test('new');\n",
      "package.json": '{"scripts":{"test":"true"}}\n',
    });
    rmSync(at("test/gone.test.js"));
    rmSync(at("Makefile"));
    symlinkSync("a.txt", at("Makefile"));
    put(worktree.path, { "test/unit/moved.test.js": `${body}\nmore\n` });
    rmSync(at("test/moved.test.js"));
    for (const who of [null, author]) {
      await all.commit(worktree, "work", who);
      const changes = await all.testChanges(worktree);
      const none = { before: null, after: null };
      expect(changes.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
        { path: "Makefile", how: "edited", added: [], removed: [], before: "test:\n\ttrue\n", after: "a.txt" },
        {
          ...{
            path: "package.json",
            how: "edited",
            added: ['{"scripts":{"test":"true"}}'],
            removed: ['{"scripts":{"test":"node --test"}}'],
          },
          ...{ before: '{"scripts":{"test":"node --test"}}\n', after: '{"scripts":{"test":"true"}}\n' },
        },
        { path: "test/data.bin", how: "edited", added: [], removed: [], ...none },
        { path: "test/gone.test.js", how: "deleted", added: [], removed: ["test('gone');"], ...none },
        { path: "test/new.test.js", how: "added", added: ["test('new');"], removed: [], ...none },
        {
          ...{ path: "test/sum.test.js", how: "edited", added: ['test.skip("adds", () => {', "--- a/x", "+++ b/x"] },
          ...{ removed: ['test("adds", () => {', "  expect(sum(1, 2)).toBe(3);"], ...none },
        },
        { path: "test/unit/moved.test.js", from: "test/moved.test.js", how: "moved", added: ["more"], removed: [], ...none },
        { path: 'test/ü "x".test.js', how: "edited", added: ["two"], removed: ["one"], ...none },
      ]);
    }
    const kinds = flagsOf(await all.testChanges(worktree)).map(({ kind }) => kind);
    expect(kinds).toEqual(["tests_deleted", "tests_skipped", "assertions_removed", "tests_edited", "test_command_changed"]);
  });

  it("tells of a configuration that is hidden from git, and takes it away for the earlier tests", async () => {
    const { all, worktree, at } = await opened();
    put(worktree.path, {
      ".gitignore": "conftest.py\nnode_modules\n",
      "conftest.py": "collect_ignore = ['.']\n",
      "node_modules/x/jest.config.js": "",
    });
    await all.commit(worktree, "work", author);
    const changes = await all.testChanges(worktree);
    expect(flagsOf(changes)).toEqual([
      { kind: "test_command_changed", text: "what says which tests run, and how, was changed: conftest.py" },
    ]);
    await all.asAtBase(worktree, pathsOfBaseTests(changes), async () => expect(existsSync(at("conftest.py"))).toBe(false));
  });

  it("tells of a script that the command names, and puts it back for the earlier tests", async () => {
    put(repo, { "check.sh": "exit 1\n", "run.py": "1\n" });
    git("add", "-A");
    git("commit", "-qm", "check");
    const all = workspaces({ test: { demo: "python3 run.py && sh ./check.sh" } });
    const worktree = await all.open("demo", "t", 1);
    put(worktree.path, { "check.sh": "exit 0\n", "run.py": "2\n" });
    await all.commit(worktree, "work", author);
    const changes = await all.testChanges(worktree);
    expect(changes).toMatchObject([{ path: "check.sh", how: "edited", run: true }]);
    await all.asAtBase(worktree, pathsOfBaseTests(changes), async () => {
      expect(readFileSync(join(worktree.path, "check.sh"), "utf8")).toBe("exit 1\n");
    });
  });

  it.each([
    ["Makefile", "test:\n\t./tools/check.py\n", "tools/check.py"],
    ["package.json", '{"scripts":{"test":"node check.js"}}\n', "check.js"],
  ])("tells of a script that the command's %s names", async (file, text, script) => {
    put(repo, { [file]: text, [script]: "1\n", "install.sh": "1\n" });
    git("add", "-A");
    git("commit", "-qm", "check");
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    put(worktree.path, { [script]: "2\n", "install.sh": "2\n" });
    await all.commit(worktree, "work", author);
    expect(await all.testChanges(worktree)).toMatchObject([{ path: script, run: true }]);
  });

  it("is nothing where no test was touched", async () => {
    const { all, worktree } = await opened();
    put(worktree.path, { "a.txt": "two\n" });
    await all.commit(worktree, "work", author);
    expect(await all.testChanges(worktree)).toEqual([]);
  });
});

describe("asAtBase", () => {
  async function touched() {
    const { all, worktree, at, read } = await opened();
    put(worktree.path, { "src/b.ts": "export const b = 2;\n", "test/sum.test.js": "true;\n", "test/new.test.js": "new\n" });
    rmSync(at("test/gone.test.js"));
    put(worktree.path, { "node_modules/dep.js": "dep\n" });
    await all.commit(worktree, "work", author);
    const paths = pathsOfBaseTests(await all.testChanges(worktree));
    return { all, worktree, at, read, paths };
  }
  const asWorked = ({ at, read }: Awaited<ReturnType<typeof touched>>) => {
    expect(read("test/sum.test.js")).toBe("true;\n");
    expect(read("test/new.test.js")).toBe("new\n");
    expect(existsSync(at("test/gone.test.js"))).toBe(false);
  };

  it("puts the tests back for the time of a run, over the work and what was installed for it", async () => {
    const bench = await touched();
    const { all, worktree, at, read, paths } = bench;
    const seen = await all.asAtBase(worktree, paths, async () => {
      expect(read("test/sum.test.js")).toContain("toBe(3)");
      expect(read("test/gone.test.js")).toBe("test('gone');\n");
      expect(existsSync(at("test/new.test.js"))).toBe(false);
      expect(read("src/b.ts")).toBe("export const b = 2;\n");
      expect(read("node_modules/dep.js")).toBe("dep\n");
      return "seen";
    });
    expect(seen).toBe("seen");
    asWorked(bench);
    const head = git("rev-parse", "uac/t-1");
    expect((await all.commit(worktree, "again", author)).head, "nothing new to commit").toBe(head);
  });

  it("puts the work back when the run fails", async () => {
    const bench = await touched();
    const failing = bench.all.asAtBase(bench.worktree, bench.paths, () => Promise.reject(new Error("no sandbox")));
    await expect(failing).rejects.toThrow("no sandbox");
    asWorked(bench);
  });

  it("that was killed is undone when the worktree is opened again, so nothing of it is ever committed", async () => {
    const bench = await touched();
    const { all, worktree, paths } = bench;
    const head = git("rev-parse", "uac/t-1");
    const begun = Promise.withResolvers<void>();
    // Never ends: as good as killed.
    void all.asAtBase(worktree, paths, () => {
      begun.resolve();
      return new Promise(() => {});
    });
    await begun.promise;
    expect(bench.read("test/sum.test.js")).toContain("toBe(3)");
    const later = workspaces();
    await later.open("demo", "t", 1);
    asWorked(bench);
    expect((await later.commit(worktree, "again", author)).head).toBe(head);
  });

  it("writes and removes nothing beyond a link that a model put in a directory's place", async () => {
    const { all, worktree, at } = await opened();
    const outside = join(dir, "outside");
    put(outside, { "sum.test.js": "mine\n", "new.test.js": "mine\n", "gone.test.js": "mine\n" });
    put(worktree.path, { "test/new.test.js": "new\n" });
    await all.commit(worktree, "work", author);
    const paths = ["test/sum.test.js", "test/gone.test.js", "test/new.test.js"];
    renameSync(at("test"), at("aside"));
    symlinkSync(outside, at("test"));
    await all.asAtBase(worktree, paths, async () => {});
    for (const name of ["sum", "new", "gone"]) expect(readFileSync(join(outside, `${name}.test.js`), "utf8")).toBe("mine\n");
  });
});
