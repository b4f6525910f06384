/** Commands that would take all there is, run one after the other beside a second task's; in this process or in one of another user. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Sandbox, SandboxRun } from "#ports/sandbox.ts";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { fairShare, type Limits } from "../../branch-agent/sandbox/limits.ts";
import { findMeans, type Means } from "../../branch-agent/sandbox/tasks.ts";

export const small: Limits = { ...fairShare(2), memory: 300e6, processes: 64, disk: 60e6, files: 4_000, fileSize: 40e6, output: 5e6 };

export const bombs = {
  forks: "bomb() { bomb & bomb & wait; }; bomb",
  memory: "node -e 'const all = []; for (;;) all.push(Buffer.alloc(10e6, 1));'",
  bigFile: "head -c 100000000 /dev/zero > big",
  manyBytes: "for i in $(seq 2000); do head -c 10000000 /dev/zero > part-$i; done",
  manyFiles: "for i in $(seq 100); do mkdir d$i; (cd d$i && touch $(seq 1000)); done; sleep 60",
  temporary: "for i in $(seq 100); do head -c 30000000 /dev/zero > /tmp/part-$i || exit 1; done",
  output: "yes",
  sleep: "sleep 1000",
  threads: `node -e 'const { Worker } = require("worker_threads"); for (let i = 0; i < 80; i++) new Worker("setInterval(() => {}, 1000)", { eval: true })'`,
} as const;
export type Bomb = keyof typeof bombs;
export interface Blast extends SandboxRun {
  /** The other task's commands meanwhile. */
  beside: SandboxRun[];
  /** The same task's, afterwards. */
  after: SandboxRun;
}
export type Blasts = Record<Bomb, Blast>;

const command = (text: string, cwd: string, timeoutMs = 40_000) => ({ command: text, cwd, timeoutMs, env: {}, maxOutput: 4_000 });
const scopeOf = (worktree: string) => ({ worktree, readOnly: [], masked: [], network: [] });

/** @param how.lacking what the machine offers and is not used */
export async function blast(
  worktree: string,
  other: string,
  { lacking = [], only = Object.keys(bombs) as Bomb[] }: { lacking?: readonly (keyof Means)[]; only?: readonly Bomb[] } = {},
): Promise<{ bounds: string[]; blasts: Blasts }> {
  const found = await findMeans();
  const means = { ...found, ...Object.fromEntries(lacking.map((name) => [name, null])) };
  const sandbox = bubblewrap({ limits: small, means: async () => means });
  await sandbox.check();
  const blasts: Partial<Blasts> = {};
  for (const bomb of only) blasts[bomb] = await one(sandbox, worktree, other, bomb);
  await Promise.all([sandbox.leave(worktree), sandbox.leave(other)]);
  return { bounds: sandbox.bounds(), blasts: blasts as Blasts };
}

async function one(sandbox: Sandbox, worktree: string, other: string, bomb: Bomb): Promise<Blast> {
  let over = false;
  const bombing = sandbox.run(scopeOf(worktree), command(bombs[bomb], worktree, bomb === "sleep" ? 500 : 40_000)).finally(() => {
    over = true;
  });
  const beside: SandboxRun[] = [];
  do {
    beside.push(await sandbox.run(scopeOf(other), command("echo $((6 * 7)) > answer; cat answer", other)));
    await sleep(50);
  } while (!over);
  const run = await bombing;
  const after = await sandbox.run(scopeOf(worktree), command("rm -rf big part-* d*; echo clear", worktree));
  return { ...run, beside, after };
}
