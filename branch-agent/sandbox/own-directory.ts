/** Directories of this process's, for as long as it runs. */
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Of those that a process which was killed left behind: `uac-<process numbers' namespace>-<process>-…`. */
const pattern = /^uac-(\w+)-(\d+)-/;
/** This process's; null: it has none yet, and has not looked for others'. */
let own: string[] | null = null;

/** Makes one for `name`; it goes when the process ends. What processes left that did not come to that goes now. */
export function ownDirectory(name: string): string {
  const space = namespace();
  own ??= begin(space);
  const path = mkdtempSync(join(tmpdir(), `uac-${space}-${process.pid}-${name}-`));
  own.push(path);
  return path;
}

function begin(space: string): string[] {
  sweep(space);
  const paths: string[] = [];
  process.once("exit", () => {
    for (const path of paths) rmSync(path, { recursive: true, force: true });
  });
  return paths;
}

/** The same number is another process in another namespace, which may share the directory. */
function namespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid").replaceAll(/\D/g, "");
  } catch {
    // Not Linux: there is one.
    return "0";
  }
}

function sweep(space: string) {
  for (const entry of readdirSync(tmpdir())) {
    const [, theirs, pid] = pattern.exec(entry) ?? [];
    if (theirs !== space || lives(Number(pid))) continue;
    try {
      rmSync(join(tmpdir(), entry), { recursive: true, force: true });
    } catch {
      // Somebody else's.
    }
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
