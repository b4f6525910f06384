/**
 * The folders of `code`'s runs, one each, named after the task and the process: whether a run still lives can be told from the name
 * alone, and a folder is somebody's from the moment it is there.
 */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

export interface Run {
  task: string;
  /** Its worktrees, and what its commands put out. Absolute. */
  folder: string;
}

const folderName = /^([A-Za-z0-9_-]+)\.(\d+)\.(\d+)$/;

/** This process's run of `task`, in `home`. */
export async function beginRun(home: string, task: string): Promise<Run & { end(): Promise<void> }> {
  const folder = join(runsIn(home), `${task}.${process.pid}.${(await beganAt(process.pid)) ?? 0}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return { task, folder, end: () => rm(folder, { recursive: true, force: true }) };
}

/** All that have a folder, by whether their process still runs. */
export async function runsOf(home: string): Promise<{ living: Run[]; dead: Run[] }> {
  const names = await readdir(runsIn(home)).catch(() => []);
  const runs = { living: [] as Run[], dead: [] as Run[] };
  for (const name of names) {
    const [, task, pid, began] = folderName.exec(name) ?? [];
    if (!task) continue;
    const lives = await isAlive(Number(pid), Number(began));
    runs[lives ? "living" : "dead"].push({ task, folder: join(runsIn(home), name) });
  }
  return runs;
}

function runsIn(home: string): string {
  return join(home, "runs");
}

/** A number that was given to another process since is not it. */
async function isAlive(pid: number, began: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is another user's.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = await beganAt(pid);
  return now === null || began === 0 || now === began;
}

/** When a process began, in the kernel's ticks since boot; null where nobody tells. */
async function beganAt(pid: number): Promise<number | null> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The second field is the program's name, in parentheses, and may hold anything; the 22nd is the time.
  const began = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  return stat === "" || !Number.isSafeInteger(began) ? null : began;
}
