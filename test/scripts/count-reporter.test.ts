import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";

/** Runs the real runner on these files and resolves to what the reporter counted. */
function count(files: Record<string, string>) {
  const root = mkdtempSync(join(tmpdir(), "uac-count-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
    const out = join(root, "counts.json");
    const reporter = join(process.cwd(), "scripts/count-reporter.mjs");
    const args = [join(process.cwd(), "node_modules/vitest/vitest.mjs"), "run", "--root", root, "--globals", `--reporter=${reporter}`];
    const run = spawnSync(process.execPath, args, { env: { ...process.env, UAC_COUNTS_FILE: out }, encoding: "utf8", timeout: 25_000 });
    return { code: run.status, counts: JSON.parse(readFileSync(out, "utf8")) };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

it("counts what passed and what was left out", { timeout: 30_000 }, () => {
  const { code, counts } = count({ "a.test.js": `it("a", () => {}); it("b", () => {}); it.skip("c", () => {}); it.todo("d");` });
  expect(counts).toEqual({ passed: 2, failed: 0, skipped: 2 });
  expect(code).toBe(0);
});

it("counts as failed what no test would show: a broken file, a broken suite, a stray error", { timeout: 30_000 }, () => {
  const { code, counts } = count({
    "test-fails.test.js": `it("a", () => expect(1).toBe(2));`,
    "file-breaks.test.js": `import "./nowhere.js";`,
    "suite-breaks.test.js": `describe("s", () => { beforeAll(() => { throw new Error("no"); }); it("never runs", () => {}); });`,
    "stray.test.js": `it("a", async () => { setTimeout(() => { throw new Error("loose"); }, 1); await new Promise((go) => setTimeout(go, 60)); });`,
  });
  expect(counts).toEqual({ passed: 1, failed: 4, skipped: 1 });
  expect(code).not.toBe(0);
});
