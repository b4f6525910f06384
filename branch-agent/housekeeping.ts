/** What a factory lets go when it is old: branches that tasks left, and the logs of their commands. Once at the start, and every day. */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "#ports/clock.ts";
import type { Journal } from "#ports/journal.ts";
import type { Log } from "#ports/log.ts";
import type { Workspaces } from "#ports/workspace.ts";

const everyMs = 24 * 3_600_000;
/** Directories looked at in one go. */
const mostAtOnce = 10_000;

interface House {
  workspaces: Pick<Workspaces, "sweep">;
  journal: Pick<Journal, "open">;
  clock: Clock;
  log: Log;
  /** One directory for each attempt, `<task>-<epoch>`. */
  logs: string;
  retainMs: number;
}

/** Keeps house until `signal` aborts. Never rejects: what could not go today goes tomorrow. */
export async function keepHouse(house: House, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clearOld(house).catch((error: unknown) => house.log.warn("old branches and logs stay behind", { error }));
    await house.clock.sleep(everyMs, signal);
  }
}

export async function clearOld({ workspaces, journal, clock, log, logs, retainMs }: House): Promise<void> {
  await workspaces.sweep({ now: clock.now(), retainMs });
  const open = new Set((await journal.open()).map(({ order }) => `${order.task}-${order.epoch}`));
  let gone = 0;
  for (const name of (await readdir(logs).catch(() => [])).slice(0, mostAtOnce)) {
    if (open.has(name)) continue;
    const path = join(logs, name);
    const { mtimeMs } = await stat(path);
    // By the file system's clock: it is the one that wrote them.
    if (Date.now() - mtimeMs <= retainMs) continue;
    await rm(path, { recursive: true, force: true });
    gone += 1;
  }
  if (gone > 0) log.info("logs of finished tasks were deleted", { tasks: gone });
}
