/** This program as one file, made anew whenever a source of it has changed: from its some 250 files it starts in three times the time. */
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire, enableCompileCache } from "node:module";
import { join } from "node:path";

/** All that it may be made of. */
const sources = ["branch-agent", "shared", "package.json", "package-lock.json"];
/** So many versions are kept: another checkout's state may be in use while this one starts. */
const kept = 4;

/**
 * The program that `cli/main.ts` is. Where no file can be made of it (nothing may be written), from its sources.
 * @param {string} root the checkout
 * @returns {Promise<typeof import("./cli/main.ts")>}
 */
export async function program(root) {
  const folder = join(root, "node_modules", ".cache", "uac");
  const file = join(folder, `branch-agent-${digestOf(root)}.cjs`);
  try {
    if (!existsSync(file)) await make(join(root, "branch-agent", "cli", "main.ts"), folder, file);
  } catch {
    return import("./cli/main.ts");
  }
  enableCompileCache(join(folder, "compiled"));
  return createRequire(file)(file);
}

/** @param {string} entry @param {string} folder @param {string} file */
async function make(entry, folder, file) {
  const { build } = await import("esbuild");
  mkdirSync(folder, { recursive: true });
  const draft = `${file}.${randomUUID()}.tmp`;
  await build({
    ...{ entryPoints: [entry], outfile: draft, bundle: true, logLevel: /** @type {const} */ ("error") },
    ...{ platform: /** @type {const} */ ("node"), target: "node24" },
    // Less text is less memory; names stay, for traces.
    ...{ minifyWhitespace: true, minifySyntax: true },
    // CommonJS, and no `import()` left: tsx, under which this may run, would read and rewrite the whole file at every start.
    ...{ format: /** @type {const} */ ("cjs"), supported: { "dynamic-import": false } },
    // A native module can't be in it; what only macOS loads, and may lack, need not.
    external: ["libsql", "@anthropic-ai/sandbox-runtime"],
  });
  // Several may have made it at once: each puts the same in place.
  renameSync(draft, file);
  const versions = readdirSync(folder).filter((name) => name.endsWith(".cjs"));
  const byAge = versions.map((name) => join(folder, name)).toSorted((a, b) => changedAt(b) - changedAt(a));
  for (const old of byAge.slice(kept)) rmSync(old, { force: true });
}

/** @param {string} path */
function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/**
 * Of names, sizes and times: to read them all would take as long as the start. Node's own listing of a whole tree takes three times as long.
 * @param {string} root
 */
function digestOf(root) {
  const hash = createHash("sha256");
  /** @param {string} name */
  const add = (name) => {
    const stats = statSync(`${root}/${name}`);
    hash.update(`${name} ${stats.size} ${stats.mtimeMs}\n`);
    if (stats.isDirectory()) for (const entry of readdirSync(`${root}/${name}`).sort()) add(`${name}/${entry}`);
  };
  for (const source of sources) add(source);
  return hash.digest("hex").slice(0, 16);
}
