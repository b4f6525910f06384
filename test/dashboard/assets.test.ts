import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";

const root = new URL("../../", import.meta.url);
const gzipped = (...paths: string[]) => paths.reduce((sum, path) => sum + gzipSync(readFileSync(new URL(path, root))).length, 0);

it("the committed names are those of the committed files", () => {
  expect(() => execFileSync(process.execPath, ["scripts/build-assets.mjs", "--check"], { cwd: root, stdio: "pipe" })).not.toThrow();
});

it("scripts are at most 20 KB of gzip, styles 6", () => {
  expect(gzipped("node_modules/htmx.org/dist/htmx.min.js", "dashboard/client/view.js")).toBeLessThanOrEqual(20 * 1024);
  expect(gzipped("dashboard/client/view.css")).toBeLessThanOrEqual(6 * 1024);
});
