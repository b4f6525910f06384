/** What holds for all the commands of one worktree together, from the first of them until the task is left. */
import { createHash } from "node:crypto";
import { UacError } from "#core/errors.ts";
import { type Cgroups, kernelsPlaces, type TaskGroup } from "./cgroup.ts";
import { openV1 } from "./cgroup-v1.ts";
import { openV2 } from "./cgroup-v2.ts";
import { type Limits, size } from "./limits.ts";
import { openUsers, type Users } from "./run-as.ts";
import { realOr } from "./scope.ts";
import { openStarter, type Starter } from "./starter.ts";
import { firstLook, type Watched } from "./watchdog.ts";

/** One worktree's. */
export interface Task extends Watched {
  /** Its commands' user, and the open namespace in which it exists; null: they run as who the factory is. */
  user: { id: number; namespace: number } | null;
  starter: Starter;
}

export interface Tasks {
  of(worktree: string): Promise<Task>;
  /** Ends what is left of a worktree's commands and forgets it; repeatable. */
  leave(worktree: string): Promise<void>;
  /** Can commands run as users of their own here? */
  users: Users | null;
  /** Sentences: what holds, and what does not. */
  bounds(): string[];
}

export interface Means {
  cgroups: Cgroups | null;
  users: Users | null;
}

/** By trying. */
export async function findMeans(): Promise<Means> {
  const cgroups = openV2(kernelsPlaces) ?? openV1(kernelsPlaces);
  // Killed outright, it is its successor that clears up.
  if (cgroups) process.once("exit", cgroups.removeAll);
  return { cgroups, users: await openUsers() };
}

/** @param slots the directory of what commands are started from */
export function openTasks(limits: Limits, { cgroups, users }: Means, slots: string): Tasks {
  const tasks = new Map<string, Promise<Task>>();
  const controlled = cgroups?.controls ?? [];

  async function begin(worktree: string): Promise<Task> {
    const user = users && { id: await users.take(worktree), namespace: users.namespace };
    let group: TaskGroup | null = null;
    try {
      group = cgroups?.task(createHash("sha256").update(worktree).digest("hex").slice(0, 16), limits) ?? null;
    } catch (cause) {
      if (user) users?.giveBack(user.id);
      throw new UacError(
        "sandbox_unavailable",
        "No sandbox: a control group that could be made when the factory started cannot be made any more. Start it again.",
        { cause },
      );
    }
    const starter = openStarter({ limits, user, group, directory: slots });
    return { worktree, limits, group, controlled, disk: firstLook(worktree), user, starter };
  }

  return {
    users,
    of(worktree) {
      const known = tasks.get(worktree);
      if (known !== undefined) return known;
      const task = begin(worktree).catch((error: unknown) => {
        tasks.delete(worktree);
        throw error;
      });
      tasks.set(worktree, task);
      return task;
    },
    async leave(worktree) {
      const key = realOr(worktree);
      const task = await tasks.get(key)?.catch(() => null);
      tasks.delete(key);
      if (!task) return;
      await task.starter.end();
      await task.group?.remove();
      if (task.user) users?.giveBack(task.user.id);
    },
    bounds: () => sentences(limits, controlled, cgroups?.version ?? null, users),
  };
}

function sentences(limits: Limits, controlled: Cgroups["controls"], version: 1 | 2 | null, users: Users | null): string[] {
  const by = (name: Cgroups["controls"][number]) => (controlled.includes(name) ? `cgroup v${version}` : "a look four times a second");
  const cpu = controlled.includes("cpu")
    ? `CPU of a task: a fair share among ${limits.slots} (cgroup v${version})`
    : "not bounded: CPU (no control group may be written here)";
  const root = process.getuid?.() === 0;
  const counted = root && !users ? "a look four times a second" : "rlimit";
  return [
    `memory of a task: ${size(limits.memory)} (${by("memory")})`,
    `processes and threads of a task: ${limits.processes} (${controlled.includes("processes") ? by("processes") : counted})`,
    cpu,
    `worktree: ${size(limits.disk)}, ${limits.files} files (a look four times a second); one file: ${size(limits.fileSize)}`,
    ...(root ? [users ? "commands run as users of their own, not as root" : "not dropped: commands run as root"] : []),
  ];
}
