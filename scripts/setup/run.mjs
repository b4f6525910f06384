/** Child processes for set-up: quiet while all is well, a line with the elapsed seconds while it takes long, the tail of the output if it fails. */
import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { SetupProblem } from "./problem.mjs";

/**
 * @typedef {object} Step
 * @property {string} title what a person reads while it runs
 * @property {string} command
 * @property {string[]} args
 * @property {string} cwd
 * @property {NodeJS.ProcessEnv} env
 * @property {number} limitS it is killed after this many seconds
 * @property {(line: string) => void} say
 * @property {number} [everyS] seconds between two lines of progress
 */

const tailLines = 25;

/**
 * Runs a long step. Rejects with a SetupProblem that holds the tail of its output.
 * @param {Step} step
 * @returns {Promise<void>}
 */
export function runStep({ title, command, args, cwd, env, limitS, say, everyS = 10 }) {
  return new Promise((done, fail) => {
    const started = Date.now();
    const seconds = () => Math.round((Date.now() - started) / 1000);
    say(`${title} …`);

    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output = (output + text).slice(-20_000);
      });
    }
    const progress = setInterval(() => say(`${title} … ${seconds()} s`), everyS * 1000);
    const limit = setTimeout(() => child.kill("SIGKILL"), limitS * 1000);
    const stop = () => {
      clearInterval(progress);
      clearTimeout(limit);
    };

    child.on("error", (error) => {
      stop();
      fail(new SetupProblem(`${title} failed: ${command} did not start (${error.message}).`));
    });
    child.on("close", (code) => {
      stop();
      if (code === 0) {
        say(`${title}: done in ${seconds()} s`);
        done();
        return;
      }
      const how = code === null ? `was stopped after ${seconds()} s` : `ended with code ${code}`;
      const tail = output.trimEnd().split("\n").slice(-tailLines).join("\n");
      fail(new SetupProblem(`${title} failed: \`${[command, ...args].join(" ")}\` ${how}.\n${tail}`));
    });
  });
}

/**
 * The first executable of that name on a PATH, or null. Folders below `notUnder` don't count.
 * @param {string} name
 * @param {string | undefined} path
 * @param {string} [notUnder]
 */
export function findOnPath(name, path, notUnder) {
  for (const folder of (path ?? "").split(delimiter).filter(Boolean)) {
    if (notUnder && isUnder(folder, notUnder)) continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      // Not here; the next folder may have it.
    }
  }
  return null;
}

/**
 * The PATH without the folders below `root`. npm puts the project's own `.bin` first; `npm ci` is about to delete it.
 * @param {string | undefined} path
 * @param {string} root
 */
export function pathOutside(path, root) {
  return (path ?? "")
    .split(delimiter)
    .filter((folder) => folder && !isUnder(folder, root))
    .join(delimiter);
}

/**
 * @param {string} folder
 * @param {string} root
 */
function isUnder(folder, root) {
  return `${resolve(folder)}/`.startsWith(`${resolve(root)}/`);
}
