/** One set-up at a time per checkout: a lock folder, made atomically, that names its owner's process. */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SetupProblem } from "./problem.mjs";

/** A lock whose owner never wrote its name is stale after this many milliseconds. */
const namelessMs = 5000;

/**
 * Runs `work` while holding the lock at `folder`. Waits for another holder at most `limitS` seconds.
 * @template T
 * @param {{ folder: string, say: (line: string) => void, limitS?: number, pollMs?: number }} lock
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function exclusively({ folder, say, limitS = 900, pollMs = 500 }, work) {
  const started = Date.now();
  let told = 0;
  mkdirSync(dirname(folder), { recursive: true });
  while (!take(folder)) {
    const owner = ownerOf(folder);
    if (isStale(folder, owner)) {
      discard(folder, owner);
      continue;
    }
    const waited = (Date.now() - started) / 1000;
    if (waited > limitS) {
      throw new SetupProblem(`Another set-up has held ${folder} for ${Math.round(waited)} s. If none is running, delete that folder.`);
    }
    if (waited >= told) {
      say(`waiting for another set-up of this checkout … ${Math.round(waited)} s`);
      told = waited + 10;
    }
    await sleep(pollMs);
  }
  try {
    return await work();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} folder */
function take(folder) {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "EEXIST") return false;
    throw error;
  }
  writeFileSync(join(folder, "pid"), String(process.pid));
  return true;
}

/**
 * The owner's process id as it stands in the lock, "" if it stands nowhere.
 * @param {string} folder
 */
function ownerOf(folder) {
  try {
    return readFileSync(join(folder, "pid"), "utf8");
  } catch {
    return "";
  }
}

/**
 * @param {string} folder
 * @param {string} owner
 */
function isStale(folder, owner) {
  if (!/^\d+$/.test(owner)) return ageMs(folder) > namelessMs;
  try {
    process.kill(Number(owner), 0);
    return false;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "ESRCH";
  }
}

/**
 * Renaming first: of two waiters that both saw a stale lock, one moves it and the other fails here. If what was moved
 * is a newer lock, taken between the look and the move, it is put back.
 * @param {string} folder
 * @param {string} owner
 */
function discard(folder, owner) {
  const away = `${folder}.stale-${process.pid}`;
  try {
    renameSync(folder, away);
    if (ownerOf(away) !== owner) renameSync(away, folder);
  } catch {
    // Someone else was faster; the next round finds out.
  }
  rmSync(away, { recursive: true, force: true });
}

/** @param {string} folder */
function ageMs(folder) {
  try {
    return Date.now() - statSync(folder).mtimeMs;
  } catch {
    return 0;
  }
}
