/**
 * Repositories inside of a worktree. None is committed: as a link its files would be lost, and as plain files it would be one to whoever
 * runs git in it, with a configuration that a model wrote and that git obeys.
 */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { failed, type GitCall, git } from "./git.ts";

/** What file systems of other machines take out of a name, or take for the same: https://git-scm.com/docs/git-config, core.protectHFS and core.protectNTFS. */
const ignoredByHfs = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
const dotGit = /^(?:\.git|git~\d+)(?:[ .]*|:.*)$/i;

/** True for what is `.git` on any file system. */
export function isDotGit(name: string): boolean {
  return dotGit.test(name.replace(ignoredByHfs, ""));
}

/** Throws `workspace_failed` where one of the `paths` to be committed (relative, with `/`; a repository ends in one) is, or is part of, a repository. */
export async function refuseRepositories(root: string, paths: readonly string[]): Promise<void> {
  const nested = paths.find((path) => path.endsWith("/"));
  if (nested) {
    throw failed(
      `Not committed: "${nested}" is a git repository of its own, and its files would be lost from the commit. ` +
        `Remove "${nested}.git", or add the directory to .gitignore.`,
    );
  }
  const directories = new Set<string>();
  for (const path of paths) {
    const parts = path.split("/");
    const odd = parts.findIndex((part) => isDotGit(part) || part.split("\\").some(isDotGit));
    if (odd >= 0) {
      const name = parts.slice(0, odd + 1).join("/");
      throw failed(`Not committed: "${name}" is ".git" on some file systems, and git would obey what lies in it. Remove it.`);
    }
    for (let depth = 1; depth < parts.length; depth += 1) directories.add(parts.slice(0, depth).join("/"));
  }
  for (const directory of directories) {
    if (!(await isGitDirectory(join(root, directory)))) continue;
    throw failed(
      `Not committed: "${directory}/" is a bare git repository, whose configuration git would obey. ` +
        "Remove it, or add it to .gitignore; a test that needs one can make it when it runs.",
    );
  }
}

/** As git tells one: a HEAD, and objects and refs, its own or another's (gitrepository-layout, `commondir`). */
async function isGitDirectory(path: string): Promise<boolean> {
  const has = (name: string) =>
    lstat(join(path, name)).then(
      () => true,
      () => false,
    );
  if (!(await has("HEAD"))) return false;
  return (await has("commondir")) || ((await has("objects")) && (await has("refs")));
}

/** Submodules that somebody put files into: their content belongs to another repository, so it is not in the commit. */
export async function changedSubmodules(call: GitCall & { workTree: string }): Promise<string[]> {
  const { out } = await git(["ls-files", "-z", "--stage"], call);
  const links = out.split("\0").flatMap((line) => (line.startsWith("160000 ") ? [line.slice(line.indexOf("\t") + 1)] : []));
  const filled: string[] = [];
  for (const path of links) {
    const files = await readdir(join(call.workTree, path)).catch(() => []);
    if (files.length > 0) filled.push(`${path}/ (a submodule)`);
  }
  return filled;
}
