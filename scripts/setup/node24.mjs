/** The Node that the programs run on. Set-up itself makes do with Node 20. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { SetupProblem } from "./problem.mjs";
import { findOnPath, pathOutside } from "./run.mjs";

export const oldestForSetup = 20;
export const oldestForPrograms = 24;

/** @param {string} version as in `process.versions.node` */
export function requireNodeForSetup(version) {
  if (major(version) >= oldestForSetup) return;
  throw new SetupProblem(`Node.js ${oldestForSetup} or newer is needed and this is ${version}: install Node.js 24 (https://nodejs.org).`);
}

/**
 * The path of a Node ≥ 24: the one that came with the packages, or the machine's own.
 * @param {{ root: string, path: string | undefined, versionOf?: (file: string) => string | null }} options
 * @returns {string}
 */
export function findNode({ root, path, versionOf = askVersion }) {
  const bundled = join(root, "node_modules", ".bin", "node");
  const own = findOnPath("node", pathOutside(path, root));
  const seen = [];
  for (const file of [bundled, own]) {
    const version = file && versionOf(file);
    if (!version) continue;
    if (major(version) >= oldestForPrograms) return file;
    seen.push(version);
  }
  const found = seen.length > 0 ? `found ${seen.join(" and ")}` : "found none";
  const which = `${process.platform}-${process.arch}`;
  throw new SetupProblem(
    `Node.js ${oldestForPrograms} or newer is needed (${found}), and no package brings one for ${which}: install it from https://nodejs.org.`,
  );
}

/** @param {string} version */
function major(version) {
  return Number.parseInt(version.replace(/^v/, ""), 10);
}

/** @param {string} file */
function askVersion(file) {
  try {
    return execFileSync(file, ["--version"], { encoding: "utf8", timeout: 10_000, stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    // Absent, or built for another machine.
    return null;
  }
}
