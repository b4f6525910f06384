/**
 * What the kernel does not bound, or not by ending the command, a look four times a second does: the size of the worktree always, memory
 * and processes where no control group has them. Between two looks a command may go over a bound by what it gets done in that time.
 */
import { spawn } from "node:child_process";
import { readdirSync, readlinkSync, statfsSync } from "node:fs";
import { type Controlled, readOr, type TaskGroup } from "./cgroup.ts";
import { gigabyte, hits, type Limits } from "./limits.ts";

const lookMs = 250;
/** Looks at its bound on processes, one after the other, after which a command gets no further. */
const stuckLooks = 8;
/** The worktree is measured when the disk has lost so much since it was measured last: bytes, and files. */
const measureAfter = 256e6;
const measureAfterFiles = 50_000;
const measureMs = 30_000;
/** No command may grow its worktree when the disk has less left: bytes, or this part of it where that is less. */
const floor = { bytes: gigabyte, part: 0.05 };

/** What is known of a worktree's size, from one of its commands to the next. */
export interface Disk {
  free: number;
  freeFiles: number;
  /** As last measured; -1: not yet. */
  bytes: number;
  files: number;
}

export interface Watched {
  worktree: string;
  /** Where its commands write beside it on a disk: counted with it. */
  beside?: string;
  limits: Limits;
  group: TaskGroup | null;
  /** What the kernel bounds. */
  controlled: readonly Controlled[];
  disk: Disk;
}

export interface Watch {
  /** The command is over: what it hit meanwhile without being ended for it, or null. */
  over(): string | null;
}

export interface Used {
  /** Bytes. */
  memory: number;
  threads: number;
}

/**
 * Watches one command.
 * @param uses what it uses now; asked only where no control group tells
 * @param end ends the command at once; it is told why
 */
export function watch(task: Watched, uses: () => Used, end: (why: string) => void): Watch {
  const { limits, group, disk } = task;
  const places = [task.worktree, ...(task.beside === undefined ? [] : [task.beside])];
  const before = group?.counts();
  let atBound = 0;
  let measuring = false;
  let ended = false;

  const endWith = (why: string) => {
    if (ended) return;
    ended = true;
    end(why);
  };

  function look() {
    const used = task.controlled.includes("memory") && task.controlled.includes("processes") ? null : uses();
    const processes = task.controlled.includes("processes") ? (group?.counts().processes ?? 0) : (used?.threads ?? 0);
    // Not quite all of it: some end while they are counted.
    atBound = processes >= limits.processes * 0.97 ? atBound + 1 : 0;
    if (atBound >= stuckLooks) endWith(hits.stuckAtProcesses(limits));
    if (!task.controlled.includes("memory") && used && used.memory > limits.memory) endWith(hits.overMemory(limits, used.memory));
    if (!measuring) {
      measuring = true;
      void lookAtDisk().finally(() => {
        measuring = false;
      });
    }
  }

  async function lookAtDisk() {
    const now = freeOf(task.worktree);
    if (now === null) return;
    const low = now.free < Math.min(floor.bytes, now.total * floor.part);
    const lost = disk.free - now.free;
    if (disk.freeFiles - now.freeFiles >= Math.min(measureAfterFiles, limits.files / 4)) {
      const files = await measure(places, ["--inodes"]);
      disk.freeFiles = now.freeFiles;
      if (files !== null && files.sum > limits.files && files.sum > disk.files) endWith(hits.overFiles(limits, files.sum));
      if (files !== null) disk.files = files.sum;
    }
    if (lost < Math.min(measureAfter, limits.disk / 4) && !(low && lost > 0)) return;
    const measured = await measure(places, ["-k"]);
    disk.free = now.free;
    if (measured === null) return;
    // What it closed to us is counted as what the disk lost.
    const bytes = measured.whole ? measured.sum * 1024 : Math.max(measured.sum * 1024, disk.bytes + lost);
    const grew = bytes > disk.bytes;
    disk.bytes = bytes;
    if (grew && bytes > limits.disk) endWith(hits.overDisk(limits, bytes));
    else if (grew && low) endWith(hits.diskFull(now.free));
  }

  const timer = setInterval(look, lookMs);
  return {
    over() {
      clearInterval(timer);
      const after = group?.counts();
      if (ended || !before || !after) return null;
      if (after.killed > before.killed) return hits.outOfMemory(limits);
      return after.refused > before.refused ? hits.refused(limits) : null;
    },
  };
}

/** What a worktree is first known by. */
export function firstLook(worktree: string): Disk {
  const now = freeOf(worktree);
  return { free: now?.free ?? 0, freeFiles: now?.freeFiles ?? 0, bytes: -1, files: -1 };
}

function freeOf(worktree: string): { free: number; freeFiles: number; total: number } | null {
  try {
    const { bavail, bsize, blocks, ffree } = statfsSync(worktree);
    return { free: bavail * bsize, freeFiles: ffree, total: blocks * bsize };
  } catch {
    return null;
  }
}

/**
 * As `du` counts; `whole` is false where it was not let into some directory. Null where it came to no end, or does not know an option: that
 * of macOS counts no files.
 */
function measure(places: readonly string[], options: readonly string[]): Promise<{ sum: number; whole: boolean } | null> {
  return new Promise((resolve) => {
    const child = spawn("du", ["-xs", ...options, "--", ...places], {
      env: { LC_ALL: "C", PATH: process.env.PATH ?? "" },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: measureMs,
      killSignal: "SIGKILL",
    });
    let out = "";
    let whole = true;
    child.stdout.on("data", (chunk: Buffer) => {
      out += String(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      if (String(chunk).includes("Permission denied")) whole = false;
    });
    child.once("error", () => resolve(null));
    child.once("close", () => {
      const sums = [...out.matchAll(/^(\d+)/gm)].map(([sum]) => Number(sum));
      resolve(sums.length === 0 ? null : { sum: sums.reduce((a, b) => a + b), whole });
    });
  });
}

/**
 * Memory and threads of everything in the namespace of `first` (0: there is none yet): bytes that no other file holds. What processes share after a fork is
 * counted for each of them.
 */
export function usedBy(first: number): Used {
  const used = { memory: 0, threads: 0 };
  const namespace = namespaceOf(first);
  if (namespace === null) return used;
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || namespaceOf(pid) !== namespace) continue;
    const status = readOr(`/proc/${pid}/status`, "");
    const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
    used.memory += (field("RssAnon") + field("VmSwap")) * 1024;
    used.threads += field("Threads");
  }
  return used;
}

function namespaceOf(pid: number): string | null {
  if (pid === 0) return null;
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return null;
  }
}
