/** An owner's repository and its worktrees, as they are found on the disk. */
import { readFile, realpath, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { failed, git, neutralised } from "./git.ts";
import { openDirectories } from "./open-up.ts";

/** Where one worktree's git lies: its private directory within the repository's, by which git is called, never by what the worktree says. */
export interface Place {
  gitDir: string;
  workTree: string;
}

/** The repository whose checkout `path` is: not one that merely contains it. */
export async function findRepository(workspace: string, path: string) {
  const real = await realpath(path).catch(() => null);
  if (!real) throw failed(`The workspace "${workspace}" is not there: ${path}. Correct its path.`);
  const found = await git(["rev-parse", "--path-format=absolute", "--show-toplevel", "--git-dir", "--git-common-dir"], { cwd: real }).catch(
    (cause: unknown) => {
      throw failed(`The workspace "${workspace}" is no git checkout: ${path}. Run git init there and commit, or correct its path.`, cause);
    },
  );
  const [top = "", sourceGitDir = "", gitDir = ""] = found.out.split("\n");
  if ((await realpath(top)) !== real)
    throw failed(`The workspace "${workspace}" lies inside the repository ${top}. Give that path instead.`);
  return { sourceGitDir: await realpath(sourceGitDir), gitDir: await realpath(gitDir) };
}

/** By the `.git` file, which is read-only in the sandbox; believed only if the repository at `gitDir` lists a worktree there that points back. */
export async function placeOf(path: string, gitDir: string): Promise<Place> {
  try {
    const workTree = await realpath(path);
    const link = join(workTree, ".git");
    const own = await realpath(/^gitdir: (.+)$/m.exec(await readFile(link, "utf8"))?.[1] ?? "");
    const back = await realpath((await readFile(join(own, "gitdir"), "utf8")).trim());
    if (dirname(own) === join(gitDir, "worktrees") && back === link) return { gitDir: own, workTree };
  } catch {
    // Told below.
  }
  throw failed(`The worktree at ${path} has lost its link to the repository. Send the task again.`);
}

/** Locks that a killed git left. Nobody else writes here: the owner works elsewhere, and the sandbox may not. */
export async function unlock(place: Place, gitDir: string, branch: string) {
  const locks = [join(place.gitDir, "index.lock"), join(place.gitDir, "HEAD.lock"), join(gitDir, `refs/heads/${branch}.lock`)];
  await Promise.all(locks.map((path) => rm(path, { force: true })));
}

/** Removes a worktree and the repository's note of it; other worktrees' notes stay, also of those on a disk that is away. */
export async function discard(path: string, source: { gitDir: string; cwd: string }) {
  await openDirectories(path);
  await git(["worktree", "remove", "--force", "--force", path], { ...source, accept: [128] });
  await rm(path, { recursive: true, force: true });
}

/** Looks at the owner's checkout without refreshing its index. */
export async function countUncommitted(path: string, gitDir: string): Promise<number> {
  const call = { cwd: path, config: await neutralised(gitDir), env: { GIT_OPTIONAL_LOCKS: "0" } };
  const { out } = await git(["status", "--porcelain=v1", "-z", "--no-renames", "--ignore-submodules=all"], call);
  return out.split("\0").filter((line) => line !== "").length;
}
