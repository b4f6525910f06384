/** npm packages: is what stands in node_modules what the lock file says, and if not, `npm ci`. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SetupProblem } from "./problem.mjs";
import { findOnPath, pathOutside, runStep } from "./run.mjs";

/**
 * @typedef {object} LockedPackage
 * @property {string} [version]
 * @property {string} [integrity]
 * @property {boolean} [optional]
 * @property {boolean} [link]
 * @property {string | string[]} [os]
 * @property {string | string[]} [cpu]
 * @property {string | string[]} [libc]
 */
/** @typedef {Record<string, LockedPackage>} Packages */

/**
 * Why the installed packages are not those of the lock file, or null if they are. npm writes its own record of what it
 * installed last of all, so an installation that was cut off is noticed too.
 * @param {string} root
 */
export function staleness(root) {
  const locked = readPackages(join(root, "package-lock.json"));
  if (!locked) throw new SetupProblem(`${join(root, "package-lock.json")} is missing or unreadable: restore it from the repository.`);
  const installed = readPackages(join(root, "node_modules", ".package-lock.json"));
  if (!installed) return "nothing is installed yet";

  for (const [path, wanted] of Object.entries(locked)) {
    if (path === "" || wanted.link) continue;
    const found = installed[path];
    if (!found) {
      if (mayBeAbsent(wanted)) continue;
      return `${nameOf(path)} is missing`;
    }
    if (found.version !== wanted.version || found.integrity !== wanted.integrity) return `${nameOf(path)} is not ${wanted.version}`;
    if (!existsSync(join(root, path, "package.json"))) return `${nameOf(path)} was deleted`;
  }
  const extra = Object.keys(installed).find((path) => !(path in locked));
  return extra ? `${nameOf(extra)} is no longer wanted` : null;
}

/**
 * Installs what the lock file says, if it is not there already. With the npm outside this checkout: `npm ci` deletes
 * node_modules first, and with it the Node that may be running this.
 * @param {{ root: string, env: NodeJS.ProcessEnv, say: (line: string) => void }} options
 */
export async function installPackages({ root, env, say }) {
  const why = staleness(root);
  if (!why) return;
  const path = pathOutside(env.PATH, root);
  const npm = findOnPath("npm", path);
  if (!npm) throw new SetupProblem("npm was not found: install Node.js 24 with npm (https://nodejs.org).");
  await runStep({
    title: `installing packages (${why})`,
    command: npm,
    args: ["ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund", "--loglevel=error"],
    cwd: root,
    env: { ...env, PATH: path },
    limitS: 900,
    say,
  });
  const still = staleness(root);
  if (still) throw new SetupProblem(`npm ci ended well, and yet ${still}: run it again with Node.js 24 (https://nodejs.org).`);
}

/**
 * An optional package is left out where it does not fit the machine. With a `libc` we can't tell cheaply, so we don't ask.
 * @param {LockedPackage} wanted
 */
function mayBeAbsent({ optional, os, cpu, libc }) {
  if (!optional) return false;
  return !([os].flat().includes(process.platform) && [cpu].flat().includes(process.arch) && !libc);
}

/** @param {string} path */
function nameOf(path) {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

/**
 * @param {string} file
 * @returns {Packages | null}
 */
function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages ?? null;
  } catch {
    return null;
  }
}
