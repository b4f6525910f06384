import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { program } from "../../branch-agent/bundle.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "uac-bundle-"));
  for (const folder of ["branch-agent/cli", "shared", "node_modules"]) mkdirSync(join(root, folder), { recursive: true });
  for (const file of ["package.json", "package-lock.json"]) writeFileSync(join(root, file), "{}");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const cache = () => join(root, "node_modules", ".cache", "uac");
const files = () => readdirSync(cache()).filter((name) => name.endsWith(".cjs"));
const write = (code: number) => {
  writeFileSync(join(root, "shared", "code.ts"), `export const code: number = ${code};\n`);
  writeFileSync(
    join(root, "branch-agent/cli/main.ts"),
    'import { code } from "../../shared/code.ts";\nexport const main = async () => code;\n',
  );
};
const run = async () => (await program(root)).main([]);

it("is made once, and anew when a source has changed; a few are kept", async () => {
  for (const code of [7, 70, 700]) {
    write(code);
    expect([await run(), await run()]).toEqual([code, code]);
  }
  expect(files()).toHaveLength(3);
  for (const code of [7000, 70_000, 700_000]) {
    write(code);
    expect(await run()).toBe(code);
  }
  expect(files()).toHaveLength(4);
});

it("is made by several at once, and each runs", async () => {
  write(9);
  expect(await Promise.all([run(), run(), run()])).toEqual([9, 9, 9]);
  expect(files()).toHaveLength(1);
  expect(readdirSync(cache()).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

it("starts from its sources where nothing can be written", async () => {
  write(9);
  mkdirSync(join(root, "node_modules", ".cache"));
  writeFileSync(cache(), "");
  expect((await program(root)).main).toBe((await import("../../branch-agent/cli/main.ts")).main);
});

it("is what the command runs, under tsx too", async () => {
  for (const loader of [[], ["--import", "tsx"]]) {
    const { stdout } = await promisify(execFile)(process.execPath, [...loader, "branch-agent/index.js", "--version"]);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  }
});

it("holds nothing of what only macOS loads, and asks for it only there", async () => {
  const loaded = `process.on("exit", () => console.log(Object.keys(require.cache).filter((name) => name.includes("sandbox-runtime")).length))`;
  const preload = join(root, "preload.cjs");
  writeFileSync(preload, loaded);
  // The checkout's own: it finds no sandbox of that kind here, and so has been where it would be loaded.
  const env = { ...process.env, SANDBOX: "seatbelt", UAC_HOME: root, ANTHROPIC_API_KEY: "none" };
  const words = ["--require", preload, "branch-agent/index.js", "code", "x", "--workspace", process.cwd()];
  const ended = await promisify(execFile)(process.execPath, words, { env }).catch((error: { stdout: string; stderr: string }) => error);
  expect(ended.stderr).toContain("Seatbelt confines commands on macOS only");
  expect(ended.stdout).toMatch(/^0$/m);
  const own = join("node_modules", ".cache", "uac");
  const newest = readdirSync(own).filter((name) => name.endsWith(".cjs"));
  for (const name of newest) expect(readFileSync(join(own, name), "utf8")).not.toContain("generateSandboxProfile");
});
