/**
 * `npm test`: sets up, runs all tests, and ends with the runner's real counts on a line of their own. Arguments go to
 * vitest (`npm test -- test/core`, `-- --project unit`); `--json` puts one object on stdout and all else on stderr.
 * Exits non-zero if a test failed or none ran.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runForeground } from "./foreground.mjs";
import { setUpOrExit } from "./setup.mjs";

const json = process.argv.includes("--json");
const args = process.argv.slice(2).filter((arg) => arg !== "--json");
const ready = await setUpOrExit("test");

const folder = mkdtempSync(join(tmpdir(), "uac-test-"));
const countsFile = join(folder, "counts.json");
let code = await runForeground(
  { ...ready, env: { ...ready.env, UAC_COUNTS_FILE: countsFile } },
  ["node_modules/vitest/vitest.mjs", "run", "--reporter=default", "--reporter=./scripts/count-reporter.mjs", ...args],
  { stdoutToStderr: json },
);

const counts = readCounts();
rmSync(folder, { recursive: true, force: true });
if (!counts) {
  process.stderr.write("The test runner ended without a count: see its output above.\n");
  code ||= 1;
} else {
  const { passed, failed, skipped } = counts;
  if (failed > 0 || passed === 0) code ||= 1;
  process.stdout.write(
    json ? `${JSON.stringify({ ok: code === 0, ...counts })}\n` : `${passed} passed, ${failed} failed, ${skipped} skipped\n`,
  );
}
process.exitCode = code;

/** @returns {import("./count-reporter.mjs").Counts | null} */
function readCounts() {
  try {
    return JSON.parse(readFileSync(countsFile, "utf8"));
  } catch {
    return null;
  }
}
