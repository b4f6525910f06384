/** A task's files as a git repository, and what became of one as a directory to be judged. */
import { lstat, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { git } from "../branch-agent/workspace/git.ts";
import type { Files } from "./task.ts";

const who = { name: "Eval", email: "eval@example.invalid" };
const identity = {
  ...{ GIT_AUTHOR_NAME: who.name, GIT_AUTHOR_EMAIL: who.email, GIT_COMMITTER_NAME: who.name, GIT_COMMITTER_EMAIL: who.email },
};

/** Makes the repository in `folder`, with one commit; resolves to that. */
export async function makeRepository(folder: string, files: Files): Promise<string> {
  await mkdir(folder, { recursive: true });
  await place(folder, files);
  const call = { cwd: folder, env: identity };
  await git(["init", "--quiet", "--initial-branch=main", "--template="], call);
  // Byte for byte, whatever the files' ends of lines are, and what a .gitignore among them says.
  await git(["-c", "core.autocrlf=false", "add", "--all", "--force"], call);
  await git(["commit", "--quiet", "--message=The task's files"], call);
  return (await git(["rev-parse", "HEAD"], call)).out.trim();
}

/** `commit` of the repository, with these files put over it. */
export async function checkOut(repository: string, commit: string, folder: string, over: Files): Promise<void> {
  await git(["-c", "core.autocrlf=false", "worktree", "add", "--quiet", "--force", "--detach", folder, commit], { cwd: repository });
  await place(folder, over);
}

/** Paths that differ between two commits, of those given or within them. */
export async function changedAmong(repository: string, base: string, commit: string, paths: readonly string[]): Promise<string[]> {
  if (paths.length === 0) return [];
  const { out } = await git(["diff-tree", "-r", "-z", "--name-only", "--no-renames", base, commit, "--", ...paths], { cwd: repository });
  return out.split("\0").filter((path) => path !== "");
}

/** Never through a link that lies there: whoever made the commit could have it lead anywhere. */
async function place(folder: string, files: Files): Promise<void> {
  for (const [path, { content, executable }] of files) {
    const target = join(folder, path);
    const parts = dirname(path).split("/");
    for (const [i] of parts.entries()) await keepDirectory(join(folder, ...parts.slice(0, i + 1)));
    await rm(target, { recursive: true, force: true });
    await writeFile(target, content, { mode: executable ? 0o755 : 0o644, flag: "wx" });
  }
}

async function keepDirectory(path: string): Promise<void> {
  const there = await lstat(path).catch(() => null);
  if (there?.isDirectory()) return;
  await rm(path, { force: true });
  await mkdir(path);
}
