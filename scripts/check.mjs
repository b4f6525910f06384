/**
 * `npm run check`: format, lint, types, unused code, walls and unit tests, side by side; one line per part. `--json` puts
 * one object on stdout and all else on stderr. Exits non-zero if a part failed.
 */
import { spawn } from "node:child_process";
import { root, setUpOrExit } from "./setup.mjs";

const limitMs = 300_000;
const shownLines = 60;
const parts = [
  { name: "unit tests and import walls", args: ["vitest/vitest.mjs", "run", "--project", "unit", "--silent", "--reporter=minimal"] },
  { name: "types", args: ["typescript/bin/tsc", "-p", "."] },
  { name: "types of the Worker", args: ["typescript/bin/tsc", "-p", "hq-worker"] },
  { name: "types of the pure core", args: ["typescript/bin/tsc", "-p", "shared/core"] },
  { name: "format and lint", args: ["@biomejs/biome/bin/biome", "check"] },
  { name: "unused code", args: ["knip/bin/knip.js"] },
];

const json = process.argv.includes("--json");
const { node, env } = await setUpOrExit("code");
const started = Date.now();
const results = await Promise.all(parts.map(run));
const ok = results.every((result) => result.ok);
process.stderr.write(`${ok ? "all well" : "not well"} in ${secondsSince(started)} s\n`);
if (json) process.stdout.write(`${JSON.stringify({ ok, parts: results })}\n`);
process.exitCode = ok ? 0 : 1;

/**
 * @param {{ name: string, args: string[] }} part
 * @returns {Promise<{ name: string, ok: boolean, seconds: number }>}
 */
function run({ name, args: [file, ...args] }) {
  return new Promise((done) => {
    const began = Date.now();
    const child = spawn(node, [`node_modules/${file}`, ...args], {
      cwd: root,
      env: { ...env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: limitMs,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    child.on("error", (error) => {
      output += error.message;
    });
    child.on("close", (code) => {
      const ok = code === 0;
      const seconds = secondsSince(began);
      const line = `${ok ? "ok    " : "FAILED"} ${name} (${seconds} s)\n`;
      (json ? process.stderr : process.stdout).write(ok ? line : `${line}${headOf(output)}\n`);
      done({ name, ok, seconds });
    });
  });
}

/** @param {string} output */
function headOf(output) {
  const lines = output.trimEnd().split("\n");
  if (lines.length <= shownLines) return lines.join("\n");
  return [...lines.slice(0, shownLines), `… and ${lines.length - shownLines} lines more`].join("\n");
}

/** @param {number} from */
function secondsSince(from) {
  return Math.round((Date.now() - from) / 100) / 10;
}
