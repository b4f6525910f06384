/**
 * `node scripts/trim-lock.mjs`, after `npm install` from a registry that lacks some platforms' builds: npm leaves those out of
 * the lock file but not out of their parents' lists, and `npm ci` then refuses the whole file. Takes them off the lists.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** @typedef {{ optionalDependencies?: Record<string, string>, [key: string]: unknown }} Locked */

/**
 * Optional dependencies that are listed and not locked, as `[parent, name]`.
 * @param {Record<string, Locked>} packages
 */
export function unlockedOptionals(packages) {
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !isLocked(packages, path, name))
      .map((name) => [path, name]),
  );
}

/**
 * As Node looks it up: in the parent's own node_modules, then in those further out.
 * @param {Record<string, Locked>} packages
 * @param {string} path
 * @param {string} name
 */
function isLocked(packages, path, name) {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("node_modules/") - 1))) {
    if (`${folder ? `${folder}/` : ""}node_modules/${name}` in packages) return true;
    if (folder === "") return false;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = fileURLToPath(new URL("../package-lock.json", import.meta.url));
  const lock = JSON.parse(readFileSync(file, "utf8"));
  for (const [parent = "", name = ""] of unlockedOptionals(lock.packages)) {
    delete lock.packages[parent].optionalDependencies[name];
    console.log(`${parent}: ${name}`);
  }
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
}
