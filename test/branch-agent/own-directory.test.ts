import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "own-directory-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const script = `import { ownDirectory } from "./branch-agent/sandbox/own-directory.ts";
  const [one, two] = [ownDirectory("etc"), ownDirectory("output")];
  process.stdout.write(JSON.stringify([one, two, (await import("node:fs")).readdirSync(process.env.TMPDIR)]));`;

async function run() {
  const args = ["--input-type=module", "-e", script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { TMPDIR: dir } });
  return JSON.parse(stdout) as [string, string, string[]];
}

it("goes with its process; what a killed one left goes with the next, and nothing of anybody else's", async () => {
  const space = readlinkSync("/proc/self/ns/pid").replaceAll(/\D/g, "");
  const { pid: dead } = spawnSync("true");
  const left = `uac-${space}-${dead}-etc-abc`;
  const others = [`uac-${space}-${process.pid}-etc-abc`, `uac-1-${dead}-etc-abc`, "uac-setup-abc", "something"];
  for (const name of [left, ...others]) mkdirSync(join(dir, name, "sub"), { recursive: true });
  const [one, two, seen] = await run();
  expect(seen.map((name) => join(dir, name))).toEqual(expect.arrayContaining([one, two]));
  expect([one, two].map((path) => existsSync(path))).toEqual([false, false]);
  expect(readdirSync(dir).toSorted()).toEqual(others.toSorted());
});
