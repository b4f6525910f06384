/** `npm run eval`: the shipped set is worth something (nothing done never passes), and can be done with the real tools. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkOut, makeRepository } from "../../eval/repository.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(join(root, "docs/eval.md"), "utf8");
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "uac-eval-test-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function evaluate(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  // A key of the owner's must not be spent here, whatever is asked for.
  const env = { PATH: process.env.PATH, HOME: "/nonexistent", TMPDIR: dir, INIT_CWD: dir };
  return new Promise((resolve) => {
    const options = { cwd: root, env, timeout: 240_000 };
    const child = execFile(process.execPath, ["--import", "tsx", "eval/index.ts", ...args], options, (_, out, err) =>
      resolve({ code: child.exitCode, out, err }),
    );
  });
}

function task(folder: string, name: string, content: object) {
  mkdirSync(join(dir, folder, name), { recursive: true });
  writeFileSync(join(dir, folder, name, "task.json"), JSON.stringify({ instruction: "Make it well.", ...content }));
}

const simple = { files: { state: "broken\n" }, test: "grep -qx well state", oracle: { state: "well\n" } };

it("the shipped set: all fail with nothing done, all pass with the known solution, and it says what that is worth", async () => {
  const { code, out, err } = await evaluate("--json");
  expect(err).toContain("a test of the harness, not of coding");
  const { ok, rounds } = JSON.parse(out);
  const names = readdirSync(join(root, "eval/tasks"));
  expect(names.length).toBeGreaterThanOrEqual(8);
  expect(names.filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  expect(rounds.map((round: { solver: string }) => round.solver)).toEqual(["nothing", "oracle"]);
  const outcomes = rounds.map((round: { results: { name: string; outcome: string; why: string }[] }) =>
    round.results.map(({ name, outcome, why }) => (outcome === "skipped" ? `${name} ${why}` : `${name} ${outcome}`)),
  );
  // Whoever lacks a compiler skips its task, with the reason; the programs that this project itself needs are there.
  const expected = (word: string) => names.map((name) => expect.stringMatching(new RegExp(`^${name} (${word}|not here)`)));
  expect(outcomes).toEqual([expected("failed"), expected("passed")]);
  expect(rounds[1].totals).toMatchObject({ failed: 0, usage: { unpriced: 0 } });
  expect(rounds[1].totals.usage.cost).toBeGreaterThan(0);
  expect({ ok, code }).toEqual({ ok: true, code: 0 });
  expect(readdirSync(dir).filter((name) => name.startsWith("uac-eval-"))).toEqual([]);
});

it("a folder of one's own: what asks for nothing is found out, what can't be run here is skipped, what must stay is looked at, tests that were weakened decide nothing", async () => {
  const documented = /```json\n([\s\S]+?)```/.exec(page)?.[1] ?? "";
  task("own", "documented", JSON.parse(documented));
  task("own", "asks-nothing", { ...simple, files: { state: "well\n" }, oracle: { other: "x\n" } });
  task("own", "elsewhere", { ...simple, needs: ["no-such-program"] });
  task("own", "unsolved", { ...simple, oracle: undefined });
  task("own", "touches", { ...simple, untouched: ["state"] });
  const checked = { files: { "t/check.sh": "grep -qx well state\n", state: "broken\n" }, test: "sh t/check.sh" };
  task("own", "weakens", { ...checked, oracle: { "t/check.sh": "true\n" }, tests: { "t/check.sh": checked.files["t/check.sh"] } });
  task("own", "wrong", { ...simple, oracle: { state: "still broken\n" } });
  const { code, out } = await evaluate("own", "--json");
  const [nothing, oracle] = JSON.parse(out).rounds;
  const told = ({ results }: { results: { name: string; outcome: string; why: string }[] }) =>
    Object.fromEntries(results.map(({ name, outcome, why }) => [name, `${outcome}: ${why}`]));
  expect(told(nothing)).toMatchObject({
    "asks-nothing": "passed: the hidden tests pass",
    elsewhere: expect.stringMatching(/^skipped: .*no-such-program/),
    unsolved: expect.stringMatching(/^failed: the hidden tests end with 1/),
    documented: expect.stringMatching(/^failed/),
  });
  expect(told(oracle)).toMatchObject({
    documented: "passed: the hidden tests pass",
    unsolved: expect.stringMatching(/^skipped: it names no solution/),
    touches: "failed: it changed what must stay as it is: state",
    weakens: expect.stringMatching(/^failed: the hidden tests end with 1/),
    wrong: expect.stringMatching(/^failed: the hidden tests end with 1/),
  });
  expect(code).toBe(1);
});

it("hidden tests are put through no link that a commit brings", async () => {
  const [repository, outside] = [join(dir, "linked"), join(dir, "outside")];
  mkdirSync(outside);
  mkdirSync(repository);
  symlinkSync(outside, join(repository, "t"));
  const file = { content: Buffer.from("true\n"), executable: false };
  const commit = await makeRepository(repository, new Map([["state", file]]));
  await checkOut(repository, commit, join(dir, "judged"), new Map([["t/check.sh", file]]));
  expect(readdirSync(outside)).toEqual([]);
  expect(readFileSync(join(dir, "judged", "t", "check.sh"), "utf8")).toBe("true\n");
});

it("says how it is used, and what is wrong with a folder", async () => {
  task("bad", "typo", { ...simple, instrucktion: "?" });
  const [usage, unknown, bad, keyless, scripted] = await Promise.all([
    evaluate("--model", "mine"),
    evaluate("--only", "nothing-like-it"),
    evaluate("bad"),
    evaluate("--model", "env", "--only", "js-last-page"),
    evaluate("--jobs", "none", "--json"),
  ]);
  expect(usage).toMatchObject({ code: 2, out: "", err: expect.stringContaining("npm run eval --") });
  expect(unknown).toMatchObject({ code: 2, err: expect.stringContaining("There is no task nothing-like-it; there are: bash-dry-run") });
  expect(bad).toMatchObject({ code: 2, err: expect.stringMatching(/typo.task\.json.*instrucktion/s) });
  expect(keyless).toMatchObject({ code: 2, err: expect.stringContaining("ANTHROPIC_API_KEY") });
  expect(JSON.parse(scripted.out)).toEqual({ ok: false, error: { code: "bad_input", message: "--jobs is a number from 1 to 16" } });
});
