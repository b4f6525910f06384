/** Tasks are checked before anything is run: whatever is wrong with them is told at once. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isAsItShould } from "../../eval/report.ts";
import { loadTasks } from "../../eval/task.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "uac-tasks-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const least = { instruction: "Do it.", test: "true", files: { "a.txt": "a" } };

function write(name: string, task: unknown, files: Record<string, string | Buffer> = {}) {
  for (const [path, content] of Object.entries({ "task.json": JSON.stringify(task), ...files })) {
    mkdirSync(dirname(join(dir, name, path)), { recursive: true });
    writeFileSync(join(dir, name, path), content);
  }
}

describe("a folder of tasks", () => {
  it("is read with what stands in the file and what lies in the folders", async () => {
    write("second", { ...least, oracle: { "b.sh": "#!/bin/sh\n", "a.txt": null } }, { "repo/src/c.txt": "c", "tests/t.txt": "t" });
    write("first", { ...least, name: "the-first", language: "Text", judge: "false", needs: ["sh"], untouched: ["a.txt"] });
    mkdirSync(join(dir, "no-task"));
    const [first, second] = await loadTasks(dir);
    expect(first).toMatchObject({ name: "the-first", language: "Text", test: "true", judge: "false", oracle: null, needs: ["sh"] });
    expect(second).toMatchObject({ name: "second", judge: "true" });
    expect([...(second?.repository.keys() ?? [])].sort()).toEqual(["a.txt", "src/c.txt"]);
    expect(second?.oracle?.get("a.txt")).toBeNull();
    expect(second?.oracle?.get("b.sh")).toMatchObject({ executable: true });
    expect(second?.hidden.get("t.txt")?.content.toString()).toBe("t");
    expect(await loadTasks(join(dir, "second"))).toHaveLength(1);
  });

  it("may make a folder of a file that its solution takes away", async () => {
    write("moved", { ...least, oracle: { "a.txt": null, "a.txt/b": "b" } });
    expect(await loadTasks(dir)).toHaveLength(1);
  });

  it("takes no link for a file", async () => {
    write("linked", least, { "repo/b.txt": "b" });
    symlinkSync("b.txt", join(dir, "linked/repo/c.txt"));
    await expect(loadTasks(dir)).rejects.toThrow(/c\.txt is neither a file nor a folder/);
  });

  it.each([
    ["an unknown key", { ...least, timeout: 3 }, /timeout/],
    ["no instruction", { ...least, instruction: " " }, /instruction/],
    ["no files", { instruction: "Do it.", test: "true" }, /has no files/],
    ["nothing that decides", { instruction: "Do it.", files: { a: "a" } }, /nothing would decide/],
    ["a way out", { ...least, files: { "../a": "a" } }, /is no path inside a repository/],
    ["an absolute path", { ...least, oracle: { "/etc/passwd": "a" } }, /is no path inside a repository/],
    ["git's own files", { ...least, tests: { ".git/hooks/pre-commit": "a" } }, /is no path inside a repository/],
    ["a solution without what it takes away", { ...least, oracle: { "b.txt": null } }, /b\.txt goes, but is not there/],
    ["a file that is a folder too", { ...least, files: { a: "a", "a/b/c": "c" } }, /files: a is a file and a folder/],
    ["a solution that makes a folder of a file", { ...least, oracle: { "a.txt/b": "b" } }, /oracle: a\.txt is a file and a folder/],
    ["hidden tests in a hidden test", { ...least, tests: { "t/x": "", t: "" } }, /tests: t is a file and a folder/],
    ["something untouched that is not there", { ...least, untouched: ["a.text"] }, /untouched: a\.text is not there/],
    ["a program that is a command", { ...least, needs: ["rm -rf /"] }, /is no program's name/],
  ])("with %s is refused", async (_, task, why) => {
    write("wrong", task);
    await expect(loadTasks(dir)).rejects.toMatchObject({ code: "bad_input", message: expect.stringMatching(why) });
  });

  it("is refused as a whole, with everything that is wrong", async () => {
    write("one", least);
    write("two", { ...least, name: "one" });
    write("three", { ...least, oops: 1 });
    write("four", least, { "oracle/picture.png": Buffer.from([0x89, 0x50, 0xff]) });
    await expect(loadTasks(dir)).rejects.toThrow(/four.*picture\.png is not UTF-8[\s\S]*three[\s\S]*oops[\s\S]*two tasks are called one/);
    await expect(loadTasks(join(dir, "none"))).rejects.toThrow("There is no folder");
    mkdirSync(join(dir, "empty"));
    await expect(loadTasks(join(dir, "empty"))).rejects.toThrow("There is no task.json");
  });
});

describe("an evaluation is as it should be", () => {
  it.each([
    ["oracle", 3, 0, true],
    ["oracle", 2, 1, false],
    ["oracle", 0, 0, false],
    ["model", 1, 0, true],
    ["nothing", 0, 3, true],
    ["nothing", 1, 2, false],
    ["nothing", 0, 0, false],
  ] as const)("with %s, %i passed and %i failed: %s", (solver, passed, failed, should) => {
    expect(isAsItShould(solver, { passed, failed })).toBe(should);
  });
});
