/** What the commands of one task may use together, and how it is said when one hits a bound. */
import { totalmem } from "node:os";

export interface Limits {
  /** Bytes. */
  memory: number;
  /** Processes and threads. */
  processes: number;
  /** In a cgroup against other tasks': each weighs the same, so with n slots at least 1/n of what all tasks get. */
  slots: number;
  /** What the worktree may hold: bytes, and files with directories. */
  disk: number;
  files: number;
  /** Bytes of a single file. */
  fileSize: number;
  openFiles: number;
  /** Bytes that one command may print. */
  output: number;
}

export const gigabyte = 1e9;
const leastMemory = 256e6;
/** Of the machine: the rest is the owner's, and the factory's. */
const memoryShare = 0.8;
const mostProcesses = 2048;
/** Of all tasks together: Linux has 32,768 by default. */
const processesOfAll = 16_384;

/**
 * The machine's means, shared among its slots.
 * @param given what the owner set for one task; bytes
 */
export function fairShare(slots: number, given: { memory?: number | null; disk?: number | null } = {}): Limits {
  const constrained = process.constrainedMemory();
  const machine = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return {
    memory: Math.floor(given.memory ?? Math.max(leastMemory, (machine * memoryShare) / slots)),
    processes: Math.min(mostProcesses, Math.floor(processesOfAll / slots)),
    slots,
    disk: given.disk ?? 10 * gigabyte,
    files: 1_000_000,
    fileSize: 4 * 1024 ** 3,
    openFiles: 16_384,
    output: 256e6,
  };
}

/** Bytes for people: `9.6 GB`, `300 MB`. */
export function size(bytes: number): string {
  return bytes >= gigabyte ? `${Number((bytes / gigabyte).toFixed(1))} GB` : `${Math.round(bytes / 1e6)} MB`;
}

/** Sentences for whoever ran the command: which bound it hit, and what it is. */
export const hits = {
  outOfMemory: (limits: Limits) =>
    `out of memory: a process was killed, since this task's commands may use ${size(limits.memory)} together. Use less at once`,
  overMemory: (limits: Limits, used: number) =>
    `ended: out of memory, it used ${size(used)} and may use ${size(limits.memory)}. Use less at once`,
  refused: (limits: Limits) => `it was refused processes or threads: this task may have ${limits.processes}. Start fewer`,
  stuckAtProcesses: (limits: Limits) => `ended: it stayed at its bound of ${limits.processes} processes and threads. Start fewer`,
  overDisk: (limits: Limits, used: number) =>
    `ended: the worktree grew to ${size(used)} and may hold ${size(limits.disk)}. Remove what is not needed`,
  overFiles: (limits: Limits, count: number) => `ended: the worktree grew to ${count} files and may hold ${limits.files}. Make fewer`,
  diskFull: (left: number) => `ended: it wrote while the disk had only ${size(left)} left. Remove what is not needed`,
  overOutput: (limits: Limits) => `ended: it printed more than ${size(limits.output)}. Print less, or into a file`,
  fileSize: (limits: Limits) => `a file became too large: one may have ${size(limits.fileSize)}`,
};
