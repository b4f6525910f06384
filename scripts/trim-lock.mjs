/**
 * `node scripts/trim-lock.mjs`, after `npm install`, for two habits of npm's. From a registry that lacks some platforms' builds it leaves
 * those out of the lock file but not out of their parents' lists, and `npm ci` then refuses the whole file: takes them off the lists.
 * And under an older Node than an optional package wants, `npm ci` leaves that out without a word, though here all runs under a Node 24 of
 * our own: takes the wish off.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** @typedef {{ optionalDependencies?: Record<string, string>, optional?: boolean, engines?: { node?: string }, [key: string]: unknown }} Locked */
/** The oldest Node whose npm may install. */
const oldestNode = 20;

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
 * Optional packages for every platform that the npm of an older Node would leave out.
 * @param {Record<string, Locked>} packages
 */
export function pickyOptionals(packages) {
  return Object.entries(packages).flatMap(([path, { optional, os, engines }]) => {
    const least = Number(/^>=\s*(\d+)/.exec(engines?.node ?? "")?.[1] ?? 0);
    return optional && !os && least > oldestNode ? [path] : [];
  });
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
  for (const path of pickyOptionals(lock.packages)) {
    delete lock.packages[path].engines;
    console.log(`${path}: engines`);
  }
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
}
