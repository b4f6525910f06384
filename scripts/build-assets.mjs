/**
 * Static files of the dashboard: copies them into .assets/assets/ under names that carry a hash of their content, and
 * writes those names into dashboard/assets.ts. Plain Node ≥ 20, no dependencies. `--check` only tells whether
 * dashboard/assets.ts is current (exit 1 if not).
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, parse } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const sources = {
  css: "dashboard/client/view.css",
  view: "dashboard/client/view.js",
  icon: "dashboard/client/icon.svg",
  htmx: "node_modules/htmx.org/dist/htmx.min.js",
};
const out = join(root, ".assets");
const names = join(root, "dashboard/assets.ts");

const files = await Promise.all(
  Object.entries(sources).map(async ([key, source]) => {
    const content = await readFile(join(root, source));
    const hash = createHash("sha256").update(content).digest("hex").slice(0, 10);
    const { name, ext } = parse(source);
    return { key, content, path: `/assets/${name}.${hash}${ext}` };
  }),
);

const code = `/** Written by scripts/build-assets.mjs: run it after a change in dashboard/client. */
export const assets = {
${files.map(({ key, path }) => `  ${key}: "${path}",`).join("\n")}
} as const;
`;
const current = (await readFile(names, "utf8").catch(() => "")) === code;

if (process.argv.includes("--check")) {
  if (!current) console.error("dashboard/assets.ts is not current: run node scripts/build-assets.mjs");
  process.exitCode = current ? 0 : 1;
} else {
  if (!current) await writeFile(names, code);
  await mkdir(join(out, "assets"), { recursive: true });
  // What is current is never taken away or touched, so that this can run beside a server.
  for (const { content, path } of files) {
    const there = await readFile(join(out, path)).catch(() => null);
    if (!there?.equals(content)) await writeFile(join(out, path), content);
  }
  for (const file of await readdir(join(out, "assets"))) {
    if (!files.some(({ path }) => path === `/assets/${file}`)) await rm(join(out, "assets", file), { force: true });
  }
  // The names change with the content, so a browser may keep them for good (read by Cloudflare's static assets).
  await writeFile(
    join(out, "_headers"),
    "/assets/*\n  Cache-Control: public, max-age=31536000, immutable\n  X-Content-Type-Options: nosniff\n",
  );
}
