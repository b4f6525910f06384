/** The machine's process table, from /proc: to find the process that a test wants to kill, and what one left behind. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Seen {
  pid: number;
  parent: number;
  /** At most 15 characters, as the kernel keeps it. */
  name: string;
  /** R, S, D, Z (ended, not yet collected) … */
  state: string;
}

function processes(): Seen[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    const line = Number.isInteger(pid) ? readQuietly(`/proc/${pid}/stat`) : "";
    // The name stands in brackets and may hold some itself.
    const end = line.lastIndexOf(")");
    if (end < 0) return [];
    const [state = "", parent = ""] = line.slice(end + 2).split(" ");
    return [{ pid, parent: Number(parent), name: line.slice(line.indexOf("(") + 1, end), state }];
  });
}

/** Children, their children, and so on. */
export function descendantsOf(pid: number): Seen[] {
  const all = processes();
  const below = (parent: number): Seen[] =>
    all.filter((candidate) => candidate.parent === parent).flatMap((child) => [child, ...below(child.pid)]);
  return below(pid);
}

/**
 * What is left of a box that this process started in `dir`: known by the mark that the box gives its children, which theirs
 * inherit, and by the folder they work in.
 */
export function leftOf(dir: string): string[] {
  const mark = `UAC_LAUNCHER=${process.pid}`;
  return processes()
    .filter(({ pid, state }) => pid !== process.pid && state !== "Z" && (isMarked(pid, mark) || worksIn(pid, dir)))
    .map(({ pid, name }) => `${name} (${pid}): ${readQuietly(`/proc/${pid}/cmdline`).replaceAll("\0", " ").slice(0, 200)}`);
}

function isMarked(pid: number, mark: string) {
  return readQuietly(`/proc/${pid}/environ`).split("\0").includes(mark);
}

function worksIn(pid: number, dir: string) {
  try {
    return readlinkSync(`/proc/${pid}/cwd`).startsWith(dir);
  } catch {
    return false;
  }
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // It has ended, or is another user's.
    return "";
  }
}
