/** The tests pass as it is, and fail for each slip. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const path = "src/duration.js";
const source = readFileSync(path, "utf8");
const passes = () => spawnSync(process.execPath, ["--test"], { env: { PATH: process.env.PATH } });
const slips = [
  ["seconds < 0", "seconds < -5"],
  ["!Number.isFinite(seconds) || ", ""],
  ["Math.floor(seconds)", "Math.round(seconds)"],
  ["whole / 3600", "whole / 3601"],
  ["(whole % 3600) / 60", "whole / 60"],
  ["amount > 0", "amount >= 0"],
  ['return "0 s"', 'return ""'],
  ['join(" ")', 'join("")'],
];

const run = passes();
const tests = Number(/tests (\d+)/.exec(run.stdout.toString())?.[1] ?? 0);
if (run.status !== 0 || tests === 0) throw new Error(`as it is: ${run.status}, ${tests} tests`);
for (const [from, to] of slips) {
  if (!source.includes(from)) throw new Error(`the source has no ${from}`);
  writeFileSync(path, source.replace(from, to));
  if (passes().status === 0) throw new Error(`nothing fails with ${to} for ${from}`);
}
writeFileSync(path, source);
