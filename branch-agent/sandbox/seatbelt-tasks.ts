/** What the commands of one worktree share on macOS: where their own directories are made, and the profiles that were written for them. */
import { mkdirSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { SandboxScope } from "#ports/sandbox.ts";
import type { Limits } from "./limits.ts";
import { parametersOf, profileOf, type Surroundings, type Wrap } from "./seatbelt.ts";
import { firstLook, type Watched } from "./watchdog.ts";

export interface SeatbeltTask extends Watched {
  /** Makes a directory for one command, which it can't replace, calls `work` with its path, and removes it. */
  withDirectory<T>(work: (own: string) => Promise<T>): Promise<T>;
  profileFor(scope: SandboxScope, surroundings: Surroundings): string;
}

/** @param root where every task's directory is made */
export function seatbeltTasks(root: string, limits: Limits, wrap: Wrap) {
  const tasks = new Map<string, SeatbeltTask & { beside: string }>();

  function begin(worktree: string) {
    const beside = mkdtempSync(join(root, "task-"));
    const free: string[] = [];
    let made = 0;
    /** By directory the last, with what it was made of: to write one takes 10 ms, in which the factory stands still. */
    const profiles = new Map<string, { told: string; text: string }>();
    return {
      ...{ worktree, beside, limits, group: null, controlled: [], disk: firstLook(worktree) },
      async withDirectory<T>(work: (own: string) => Promise<T>) {
        const name = free.pop() ?? String(++made);
        const own = join(beside, name);
        mkdirSync(own);
        try {
          return await work(own);
        } finally {
          // One that the command closed to us stays: the next command gets another name.
          await rm(own, { recursive: true }).then(
            () => free.push(name),
            () => {},
          );
        }
      },
      profileFor(scope: SandboxScope, surroundings: Surroundings) {
        const parameters = parametersOf(scope, surroundings);
        const told = JSON.stringify(parameters);
        const known = profiles.get(surroundings.own);
        if (known?.told === told) return known.text;
        const text = profileOf(wrap, parameters, surroundings.own);
        profiles.set(surroundings.own, { told, text });
        return text;
      },
    };
  }

  return {
    /** @param worktree its real path */
    of(worktree: string): SeatbeltTask {
      const task = tasks.get(worktree) ?? begin(worktree);
      tasks.set(worktree, task);
      return task;
    },
    async leave(worktree: string) {
      const task = tasks.get(worktree);
      tasks.delete(worktree);
      if (task) await rm(task.beside, { recursive: true, force: true }).catch(() => {});
    },
  };
}
