/** The branch's keeper in the box: one that breaks down is started again, as a desktop's service manager would. */
import type { Child } from "./child.ts";

/** So many ends in a row, each soon after its start, and it is left alone. */
const maxQuickEnds = 3;
const quickMs = 30_000;
const restartMs = 1000;
/** The end of a branch that somebody stopped on purpose. */
const drained = "exit code 0";

export interface Kept {
  branch: Child | null;
  startBranch(): Promise<Child>;
}

export interface Attention {
  stop: AbortSignal;
  /** Where to look for the cause. */
  logFile: string;
  say(line: string): void;
  waitMs?: number;
}

/** Resolves when `stop` is aborted, or when the branch is left alone; each time it says so. */
export async function attendBranch(box: Kept, { stop, logFile, say, waitMs = restartMs }: Attention): Promise<void> {
  const stopped = new Promise<null>((resolve) => stop.addEventListener("abort", () => resolve(null), { once: true }));
  let quickEnds = 0;
  while (!stop.aborted && box.branch) {
    const since = performance.now();
    const how = await Promise.race([box.branch.exited, stopped]);
    if (how === null || stop.aborted) return;
    if (how === drained) {
      say("the branch was told to stop, and has; the next npm start brings it back");
      return;
    }
    quickEnds = performance.now() - since < quickMs ? quickEnds + 1 : 1;
    if (quickEnds >= maxQuickEnds) {
      say(`the branch ended again (${how}) and is left alone; the cause is at the end of ${logFile}`);
      return;
    }
    say(`the branch ended (${how}); it is started again`);
    await Promise.race([new Promise((resolve) => setTimeout(resolve, waitMs)), stopped]);
    if (stop.aborted) return;
    try {
      await box.startBranch();
    } catch (error) {
      say(`the branch can't be started: ${error instanceof Error ? error.message : error}`);
      return;
    }
  }
}
