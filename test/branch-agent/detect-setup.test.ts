/** What makes a fresh checkout ready, by its lock files; and that it does, in the sandbox, for the tests after it. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commandsOf, describeCommands } from "../../branch-agent/workspace/commands.ts";
import { detectSetup } from "../../branch-agent/workspace/detect-setup.ts";
import { put } from "./repository.ts";

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "setup-test-")));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const npm = "registry.npmjs.org:443";
const pypi = ["files.pythonhosted.org:443", "pypi.org:443"];
const lock = (resolved?: string) => JSON.stringify({ packages: { "": {}, "node_modules/x": { ...(resolved && { resolved }) } } });

describe("the set-up of a checkout", () => {
  const cases: [string, Record<string, string>, { command: string; hosts: string[] } | null][] = [
    ["npm", { "package-lock.json": lock() }, { command: "npm ci", hosts: [npm] }],
    [
      "npm, from where its lock and its settings say",
      { "package-lock.json": lock("https://packages.example.org:8443/x.tgz"), ".npmrc": "@own:registry=https://npm.example.org/\n" },
      { command: "npm ci", hosts: ["npm.example.org:443", "packages.example.org:8443"] },
    ],
    ["npm with a lock that names no package", { "package-lock.json": '{"packages":{"":{}}}' }, null],
    ["npm without a lock", { "package.json": '{"dependencies":{"x":"1"}}' }, null],
    ["modules that the repository brings", { "package-lock.json": lock(), "node_modules/x/index.js": "" }, null],
    ["pnpm", { "pnpm-lock.yaml": "lockfileVersion: '9.0'\n" }, { command: "pnpm install --frozen-lockfile", hosts: [npm] }],
    [
      "yarn",
      { "yarn.lock": 'x@1:\n  resolved "https://registry.yarnpkg.com/x/-/x-1.tgz#abc"\n' },
      { command: "yarn install --frozen-lockfile", hosts: ["registry.yarnpkg.com:443"] },
    ],
    [
      "a newer yarn",
      { "yarn.lock": "x\n", ".yarnrc.yml": "" },
      { command: "yarn install --immutable", hosts: ["registry.yarnpkg.com:443"] },
    ],
    ["uv", { "uv.lock": "version = 1\n", "requirements.txt": "x\n" }, { command: "uv sync --frozen", hosts: pypi }],
    [
      "pip",
      { "requirements.txt": "# needed\nrequests==2\n" },
      { command: "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt", hosts: pypi },
    ],
    ["pip with nothing to fetch", { "requirements.txt": "# nothing\n\n" }, null],
    [
      "Rust",
      { "Cargo.lock": '[[package]]\nname = "x"\nsource = "registry+https://github.com/rust-lang/crates.io-index"\n' },
      { command: "cargo fetch --locked", hosts: ["index.crates.io:443", "static.crates.io:443"] },
    ],
    ["Rust on its own", { "Cargo.lock": '[[package]]\nname = "own"\n' }, null],
    [
      "Go",
      { "go.sum": "x v1 h1:a=\n" },
      { command: "GOFLAGS=-modcacherw go mod download", hosts: ["proxy.golang.org:443", "sum.golang.org:443"] },
    ],
    ["Go that brings its own", { "go.sum": "x v1 h1:a=\n", "vendor/modules.txt": "" }, null],
    ["a lock that is a directory", { "package-lock.json/x": "" }, null],
    ["nothing", {}, null],
  ];
  it.each(cases)("is detected: %s", async (_, files, expected) => {
    put(dir, files);
    expect(await detectSetup(dir)).toEqual(expected);
  });

  it("is that of all its languages", async () => {
    put(dir, { "package-lock.json": lock(), "uv.lock": "x" });
    expect(await detectSetup(dir)).toEqual({ command: "npm ci && uv sync --frozen", hosts: [...pypi, npm].toSorted() });
  });
});

describe("what the owner set", () => {
  beforeEach(() => put(dir, { "package-lock.json": lock(), "go.mod": "module x\n" }));
  const of = (declared: object) => commandsOf("shop", dir, declared);

  it("goes before what was detected, each for itself", async () => {
    expect((await of({})).setup).toEqual({ workspace: "shop", command: "npm ci", hosts: [npm], declared: false });
    expect((await of({ setup: { shop: "make deps" } })).setup).toMatchObject({ command: "make deps", hosts: [npm], declared: true });
    expect((await of({ hosts: { shop: [] } })).setup).toMatchObject({ command: "npm ci", hosts: [] });
    expect((await of({ setup: { shop: null } })).setup).toBeNull();
    expect((await of({ setup: { other: null } })).setup).not.toBeNull();
  });

  it("is told apart from it", async () => {
    expect(await describeCommands({ shop: dir }, { test: { shop: "make\n check" } })).toEqual({
      shop: { test: "`make check` (as set)", setup: `\`npm ci\` (detected), reaching ${npm}` },
    });
    rmSync(dir, { recursive: true });
    expect(await describeCommands({ shop: dir }, {})).toEqual({ shop: { test: "none found", setup: "none" } });
  });
});
