/**
 * Control groups, whichever version: the kernel's own bounds on all that a task runs. A factory has one group, with one for each task in it.
 */
import { readdirSync, readFileSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Limits } from "./limits.ts";

export type Controlled = "memory" | "processes" | "cpu";

/** What the kernel counted for a task since its group was made. */
export interface Counts {
  /** Processes killed for want of memory. */
  killed: number;
  /** Processes and threads refused. */
  refused: number;
  /** Processes and threads that there are. */
  processes: number;
}

export interface TaskGroup {
  /** A process that writes its number into each of these is in the group, with all that it starts. */
  join: readonly string[];
  counts(): Counts;
  /** Ends whatever is left in it and removes it; repeatable. */
  remove(): Promise<void>;
}

export interface Cgroups {
  version: 1 | 2;
  controls: readonly Controlled[];
  task(name: string, limits: Limits): TaskGroup;
  /** Ends whatever is left in any of them and removes all. At once, so that a process that exits can do it. */
  removeAll(): void;
}

/** Where the kernel tells of control groups; tests name another. */
export interface Places {
  mountinfo: string;
  self: string;
}

export const kernelsPlaces: Places = { mountinfo: "/proc/self/mountinfo", self: "/proc/self/cgroup" };

/** With the process's number and start, so that a number used again is not taken for the one that made it. */
export const ownName = () => `uac-${process.pid}-${startOf(process.pid)}`;

function startOf(pid: number): string | null {
  try {
    // After the name, which may hold blanks: the 20th field is the start, in ticks since boot.
    return (
      readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ")[19] ?? null
    );
  } catch {
    return null;
  }
}

/** Removes what factories left in `parent` that are no more: killed, they could not do it themselves. */
export function sweep(parent: string) {
  for (const name of directoriesIn(parent)) {
    const [, pid, start] = /^uac-(\d+)-(\d+)$/.exec(name) ?? [];
    if (pid && start !== startOf(Number(pid))) removeTree(join(parent, name));
  }
}

/** Kills all processes in a group and its groups, and removes them as far as the kernel lets it: it keeps one until its last process is reaped. */
export function removeTree(group: string): boolean {
  for (const name of directoriesIn(group)) removeTree(join(group, name));
  killAll(group);
  try {
    rmdirSync(group);
    return true;
  } catch {
    return statSync(group, { throwIfNoEntry: false }) === undefined;
  }
}

const tries = 200;
const betweenMs = 10;

/** As `removeTree`, and waits until the kernel lets it; gives up after 2 s. The next sweep removes what stays then. */
export async function removeSoon(group: string) {
  for (let i = 0; i < tries && !removeTree(group); i++) await sleep(betweenMs);
}

function killAll(group: string) {
  for (const pid of numbersIn(join(group, "cgroup.procs"))) {
    // 0: a process of a namespace that is not ours to see.
    if (pid < 2 || pid === process.pid) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  }
}

function numbersIn(path: string): number[] {
  return readOr(path, "").split("\n").filter(Boolean).map(Number);
}

/** The number behind `key` in a file of `key number` lines, or the number that is the whole file; 0 where there is none. */
export function counter(path: string, key?: string): number {
  const text = readOr(path, "");
  const found = key === undefined ? text : new RegExp(`^${key} (\\d+)$`, "m").exec(text)?.[1];
  return Number(found ?? 0) || 0;
}

export function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}

function directoriesIn(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}
