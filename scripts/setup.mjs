/**
 * Makes a checkout ready to run: npm packages, a Node 24 and the system packages. Plain Node ≥ 20 and built-ins only,
 * since it runs before anything is installed. `npm start`, `npm test` and every other command call it first; by itself:
 * `node scripts/setup.mjs [--test]`.
 */
import { realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { exclusively } from "./setup/exclusive.mjs";
import { findNode, requireNodeForSetup } from "./setup/node24.mjs";
import { installPackages, staleness } from "./setup/packages.mjs";
import { SetupProblem } from "./setup/problem.mjs";
import { findBrowser, installSystemPackages, missingPackages } from "./setup/system.mjs";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * @typedef {object} Ready
 * @property {string} node absolute path of a Node ≥ 24
 * @property {NodeJS.ProcessEnv} env the environment for children: that Node is first on PATH; CHROMIUM_PATH where a browser was found
 */

/**
 * Installs what is missing for `purpose`; quick when nothing is. Safe to run twice at once.
 * Rejects with a SetupProblem whose message says what is missing and what to do.
 * @param {"code" | "run" | "test"} purpose `code`: the npm packages alone
 * @param {{ env?: NodeJS.ProcessEnv, say?: (line: string) => void }} [options] `say` gets the progress, by default on stderr
 * @returns {Promise<Ready>}
 */
export async function setUp(purpose, { env = process.env, say = sayOnStderr } = {}) {
  requireNodeForSetup(process.versions.node);
  const system = purpose === "code" ? null : purpose;
  const isReady = () => staleness(root) === null && (!system || missingPackages(system, process.platform, env.PATH).length === 0);
  if (!isReady()) {
    await exclusively({ folder: join(root, ".uac", "setup.lock"), say }, async () => {
      await installPackages({ root, env, say });
      if (system) await installSystemPackages({ purpose: system, root, env, say });
    });
  }

  const node = findNode({ root, path: env.PATH });
  const path = [dirname(node), join(root, "node_modules", ".bin"), env.PATH].filter(Boolean).join(delimiter);
  const browser = env.CHROMIUM_PATH ?? findBrowser(env.PATH);
  return { node, env: { ...env, PATH: path, ...(browser ? { CHROMIUM_PATH: browser } : {}) } };
}

/**
 * For the commands: sets up, or says why not in one line and ends the process with 1.
 * @param {"code" | "run" | "test"} purpose
 */
export async function setUpOrExit(purpose) {
  try {
    return await setUp(purpose);
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    sayOnStderr(error.message);
    process.exit(1);
  }
}

/** @param {string} line */
function sayOnStderr(line) {
  process.stderr.write(`set-up: ${line}\n`);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await setUpOrExit(process.argv.includes("--test") ? "test" : "run");
  sayOnStderr("ready");
}
