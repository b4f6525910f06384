/** What runs left that were killed: worktrees, reservations, and attempts that nobody will end. The next run clears it away. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "#ports/clock.ts";
import type { Journal } from "#ports/journal.ts";
import type { Log } from "#ports/log.ts";
import { gitWorkspaces } from "../workspace/worktrees.ts";
import { runsOf } from "./runs.ts";

export interface LeftoverDeps {
  home: string;
  /** Where it is noted which branches runs left. */
  branches: string;
  journal: Journal;
  clock: Clock;
  log: Log;
  /** The run that clears up, which is under way already. */
  life: string;
}

/** Two that do it at once do no harm. What can't be cleared away is told, and tried again by the next. */
export async function clearLeftRuns({ home, branches, journal, clock, log, life }: LeftoverDeps): Promise<void> {
  const { living, dead } = await runsOf(home);
  // While another run is under way nobody can tell its reservations from those of one that was killed: those wait for their lease.
  await journal.release(clock.now(), ...(living.length > 1 ? [] : [life]));
  for (const { task, folder } of dead) {
    try {
      await gitWorkspaces({ workspaces: {}, root: join(folder, "worktrees"), branches, log }).tidy([]);
      await journal.drop(task, 1, clock.now());
      await rm(folder, { recursive: true, force: true });
    } catch (error) {
      log.warn("what a killed run left stays behind", { folder, error });
    }
  }
}
