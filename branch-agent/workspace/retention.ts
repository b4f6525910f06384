/** Branches that finished tasks left: they go when they are merged, or old, and only as long as they are still exactly what the task made. */
import { existsSync } from "node:fs";
import type { Log } from "#ports/log.ts";
import { git, neutralised } from "./git.ts";
import type { BranchRecord, Records } from "./records.ts";

/** Looked at in one sweep, the oldest first. */
const mostAtOnce = 500;

interface Noted extends BranchRecord {
  name: string;
}

/** Deletes what may go. Resolves to the branches that went. One repository that fails keeps no other from it. */
export async function sweepBranches(
  { kept, log, inTurn }: { kept: Records<BranchRecord>; log: Log; inTurn: <T>(key: string, act: () => Promise<T>) => Promise<T> },
  { now, retainMs }: { now: number; retainMs: number },
): Promise<string[]> {
  const notes: Noted[] = [];
  for (const name of await kept.names()) {
    const record = await kept.read(name).catch(() => null);
    if (record) notes.push({ ...record, name });
  }
  const oldest = notes.toSorted((a, b) => a.endedAt - b.endedAt).slice(0, mostAtOnce);
  const gone: string[] = [];
  for (const [gitDir, own] of Map.groupBy(oldest, (note) => note.gitDir)) {
    const isOld = ({ endedAt }: Noted) => now - endedAt > retainMs;
    if (!existsSync(gitDir)) {
      // Perhaps on a disk that is away.
      for (const note of own.filter(isOld)) await kept.forget(note.name);
      continue;
    }
    await inTurn(gitDir, async () => {
      gone.push(...(await sweepRepository(gitDir, own, { kept, isOld })));
    }).catch((error: unknown) => log.warn("old branches stay behind", { repository: gitDir, error }));
  }
  if (gone.length > 0) log.info("branches of finished tasks were deleted", { branches: gone });
  return gone;
}

async function sweepRepository(
  gitDir: string,
  notes: readonly Noted[],
  { kept, isOld }: { kept: Records<BranchRecord>; isOld: (note: Noted) => boolean },
): Promise<string[]> {
  const call = { gitDir, config: await neutralised(gitDir) };
  const refs = lines(await git(["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/uac"], call));
  const tips = new Map(refs.map((line) => line.split(" ") as [string, string]));
  const worktrees = lines(await git(["worktree", "list", "--porcelain"], call));
  const inUse = new Set(worktrees.filter((line) => line.startsWith("branch ")).map((line) => line.slice("branch ".length)));
  const gone: string[] = [];
  for (const note of notes) {
    const ref = `refs/heads/${note.branch}`;
    // Deleted by the owner, or moved: then it is theirs.
    if (tips.get(ref) !== note.tip) {
      await kept.forget(note.name);
      continue;
    }
    if (inUse.has(ref) || !(isOld(note) || (await isMerged(note.tip, call)))) continue;
    // With the old value given, a branch that has moved meanwhile stays.
    await git(["update-ref", "-d", ref, note.tip], call);
    await kept.forget(note.name);
    gone.push(note.branch);
  }
  return gone;
}

/** Into a branch that is none of ours, here or as a remote was last seen. */
async function isMerged(tip: string, call: { gitDir: string }): Promise<boolean> {
  const holding = lines(await git(["for-each-ref", `--contains=${tip}`, "--format=%(refname)", "refs/heads", "refs/remotes"], call));
  return holding.some((ref) => !ref.startsWith("refs/heads/uac/") && !ref.includes("/uac/"));
}

const lines = ({ out }: { out: string }) => out.split("\n").filter((line) => line !== "");
