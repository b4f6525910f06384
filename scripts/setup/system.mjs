/** System packages, by apt or brew where we may, otherwise one line that says what to install. */
import { execFileSync } from "node:child_process";
import { accessSync } from "node:fs";
import { SetupProblem } from "./problem.mjs";
import { findOnPath, runStep } from "./run.mjs";

/**
 * @typedef {object} SystemPackage
 * @property {string} name what a person calls it
 * @property {string[]} commands any of these on PATH will do
 * @property {string[]} files or any of these absolute paths
 * @property {string} apt
 * @property {string[] | null} brew arguments of `brew install`; null: there is none for macOS
 */

/** @typedef {"run" | "test"} Purpose */

/** @type {SystemPackage} Confines what the model runs; on Linux alone. */
const bubblewrap = { name: "bubblewrap", commands: ["bwrap"], files: [], apt: "bubblewrap", brew: null };
/** @type {SystemPackage} */
const redis = { name: "redis-server", commands: ["redis-server"], files: [], apt: "redis-server", brew: ["redis"] };
/** @type {SystemPackage} */
const git = { name: "git", commands: ["git"], files: [], apt: "git", brew: ["git"] };
/** @type {SystemPackage} */
const chromium = {
  name: "chromium",
  commands: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
  files: ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"],
  apt: "chromium",
  brew: ["--cask", "google-chrome"],
};

/** @type {Record<Purpose, SystemPackage[]>} */
const wanted = { run: [git, bubblewrap], test: [git, bubblewrap, redis, chromium] };

/**
 * Where the program of a system package is, or null.
 * @param {SystemPackage} wanted
 * @param {string | undefined} path
 */
function locate({ commands, files }, path) {
  for (const command of commands) {
    const file = findOnPath(command, path);
    if (file) return file;
  }
  return files.find(exists) ?? null;
}

/**
 * The browser that the tests drive, or null.
 * @param {string | undefined} path
 */
export function findBrowser(path) {
  return locate(chromium, path);
}

/**
 * @param {Purpose} purpose
 * @param {NodeJS.Platform} platform
 * @param {string | undefined} path
 */
export function missingPackages(purpose, platform, path) {
  return wanted[purpose].filter((one) => !(platform === "darwin" && one.brew === null) && !locate(one, path));
}

/**
 * How this process may install them: a list of commands, or null if a person has to.
 * @param {SystemPackage[]} missing
 * @param {{ platform: NodeJS.Platform, path: string | undefined, isRoot: boolean, maySudo: (sudo: string) => boolean }} machine
 * @returns {{ title: string, command: string, args: string[], mayFail?: boolean }[] | null}
 */
export function installPlan(missing, { platform, path, isRoot, maySudo }) {
  if (platform === "darwin") {
    const brew = findOnPath("brew", path);
    if (!brew) return null;
    return missing.map((one) => ({ title: `installing ${one.name} with brew`, command: brew, args: ["install", ...(one.brew ?? [])] }));
  }
  const apt = findOnPath("apt-get", path);
  if (!apt) return null;
  const sudo = isRoot ? null : findOnPath("sudo", path);
  if (!isRoot && !(sudo && maySudo(sudo))) return null;

  const rights = sudo ? ["-n", "env", "DEBIAN_FRONTEND=noninteractive", apt] : [];
  /** @param {string[]} args */
  const call = (args) => ({
    command: sudo ?? apt,
    args: [...rights, "-o", "DPkg::Lock::Timeout=120", ...args],
  });
  return [
    // Out-of-date lists are only a problem if the next step fails, and that step says so itself.
    { title: "updating the package lists", ...call(["update"]), mayFail: true },
    {
      title: `installing ${missing.map((one) => one.name).join(", ")}`,
      ...call(["install", "--yes", "--no-install-recommends", ...missing.map((one) => one.apt)]),
    },
  ];
}

/**
 * Makes sure that what `purpose` needs is here. Rejects with a SetupProblem that says what to install.
 * @param {{ purpose: Purpose, root: string, env: NodeJS.ProcessEnv, say: (line: string) => void }} options
 */
export async function installSystemPackages({ purpose, root, env, say }) {
  const platform = process.platform;
  const missing = missingPackages(purpose, platform, env.PATH);
  if (missing.length === 0) return;

  const plan = installPlan(missing, { platform, path: env.PATH, isRoot: process.getuid?.() === 0, maySudo });
  if (!plan) throw new SetupProblem(adviceFor(missing, platform));
  for (const { title, command, args, mayFail } of plan) {
    try {
      await runStep({ title, command, args, cwd: root, env: { ...env, DEBIAN_FRONTEND: "noninteractive" }, limitS: 900, say });
    } catch (error) {
      if (!mayFail) throw error;
      say(`${title} failed; going on with the lists that are here`);
    }
  }
  const still = missingPackages(purpose, platform, env.PATH);
  if (still.length > 0) throw new SetupProblem(adviceFor(still, platform));
}

/**
 * @param {SystemPackage[]} missing
 * @param {NodeJS.Platform} platform
 */
export function adviceFor(missing, platform) {
  const names = missing.map((one) => one.name).join(", ");
  if (platform === "darwin") return `${names} is needed: brew install ${missing.flatMap((one) => one.brew ?? []).join(" ")}`;
  if (platform === "linux")
    return `${names} is needed: sudo apt-get install ${missing.map((one) => one.apt).join(" ")} (or the same by your package manager)`;
  return `${names} is needed, and ${platform} is not supported: use Linux (on Windows: WSL 2) or macOS.`;
}

/** @param {string} sudo */
function maySudo(sudo) {
  try {
    execFileSync(sudo, ["-n", "true"], { stdio: "ignore", timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

/** @param {string} file */
function exists(file) {
  try {
    accessSync(file);
    return true;
  } catch {
    return false;
  }
}
