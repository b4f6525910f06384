import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeDemoShop } from "../../dev/demo-shop.ts";

let dir: string;
beforeEach(async () => {
  dir = join(mkdtempSync(join(tmpdir(), "demo-shop-")), "deep", "demo-shop");
  await makeDemoShop(dir);
});
afterEach(() => rmSync(join(dir, "../.."), { recursive: true, force: true }));

const git = (...args: string[]) => execFileSync("git", args, { cwd: dir, encoding: "utf8" }).trim();

function failing(): string[] {
  const env = { PATH: process.env.PATH ?? "", HOME: dir };
  const run = spawnSync("node", ["--test", "--test-reporter=tap"], { cwd: dir, encoding: "utf8", env });
  return [...run.stdout.matchAll(/^not ok \d+ - (.*)$/gm)].map((match) => match[1] ?? "");
}

it("is a clean repository on main", () => {
  expect(git("status", "--porcelain", "--branch")).toBe("## main");
  expect(git("log", "--format=%an <%ae>")).toBe("Demo Shop <demo-shop@example.invalid>");
});

it("has exactly one failing test, which the right change of one token repairs", () => {
  expect(failing()).toEqual(["ten pieces get the bulk discount"]);
  const path = join(dir, "src/discount.js");
  writeFileSync(path, readFileSync(path, "utf8").replace("quantity > bulkQuantity", "quantity >= bulkQuantity"));
  expect(failing()).toEqual([]);
});

it("leaves one that is there as it is", async () => {
  writeFileSync(join(dir, "README.md"), "mine\n");
  const head = git("rev-parse", "HEAD");
  await makeDemoShop(dir);
  expect(readFileSync(join(dir, "README.md"), "utf8")).toBe("mine\n");
  expect(git("rev-parse", "HEAD")).toBe(head);
});
