/**
 * Runs a program in our stead. It gets a process group of its own, so that a Ctrl-C, which a terminal sends to everyone
 * and npm sends again, reaches it once: through us. When it ends, what is left of its group ends too.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { root } from "./setup.mjs";

/** The same signal again within this time is an echo, milliseconds. */
const echoMs = 1000;
/** A program that was asked to end and does not is killed after this time, milliseconds. */
const graceMs = 30_000;
/** npm hands a signal to the shell between it and us, which dies and leaves us behind: looked after so often, milliseconds. */
const orphanCheckMs = 1000;

/**
 * Runs `node ...args` in the checkout and resolves to its exit code (128 + n if signal n ended it).
 * @param {import("./setup.mjs").Ready} ready
 * @param {string[]} args
 * @param {{ stdoutToStderr?: boolean }} [options]
 * @returns {Promise<number>}
 */
export function runForeground({ node, env }, args, { stdoutToStderr = false } = {}) {
  const child = spawn(node, ["--import", fileURLToPath(new URL("follow-parent.mjs", import.meta.url)), ...args], {
    cwd: root,
    env: { ...env, UAC_LAUNCHER: String(process.pid) },
    stdio: ["inherit", stdoutToStderr ? 2 : "inherit", "inherit", "ipc"],
    detached: true,
  });
  let lastSignalAt = 0;
  /** @type {NodeJS.Timeout | undefined} */
  let grace;
  /** @param {NodeJS.Signals} signal */
  const forward = (signal) => {
    if (Date.now() - lastSignalAt < echoMs) return;
    lastSignalAt = Date.now();
    child.kill(signal);
    grace ??= setTimeout(() => killGroup(child.pid), graceMs);
  };
  /** @type {NodeJS.Signals[]} */
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, forward);
  const parent = process.ppid;
  const orphanCheck = process.env.npm_lifecycle_event
    ? setInterval(() => process.ppid !== parent && forward("SIGTERM"), orphanCheckMs)
    : undefined;

  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("exit", (code, signal) => {
      clearTimeout(grace);
      clearInterval(orphanCheck);
      for (const one of signals) process.off(one, forward);
      killGroup(child.pid);
      done(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  });
}

/** @param {number | undefined} pid */
function killGroup(pid) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left.
  }
}
