/**
 * What the owner has in hand, as a commit on top of the checkout's HEAD: for a task that is to start with it. The checkout is only read.
 * Its index is copied, so that what the owner staged is in it and what is unchanged need not be read again; its files stay as they are.
 */
import { copyFile, lstat, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Replayed } from "#core/receipt.ts";
import { isSecret } from "../sandbox/secrets.ts";
import { artefactDirectories, sift } from "./artefacts.ts";
import { failed, type GitCall, git, neutralised, type Setting } from "./git.ts";
import { lineEnds } from "./line-ends.ts";

/** More is no handful of edits: the owner is told to commit it, or to ignore it. Files, and bytes of all of them. */
const mostFiles = 2000;
const mostBytes = 64 * 1024 ** 2;
const leftTold = 20;
const nobody = { name: "uncommitted changes", email: "owner@uac.invalid" };

export interface Checkout {
  path: string;
  /** The checkout's own git directory. */
  gitDir: string;
  /** Its HEAD. */
  head: string;
}

/** The commit to start from, and what is in it; `scratch` is a path for an index of our own. Rejects with `workspace_failed` where it is too much. */
export async function replayEdits({ path, gitDir, head }: Checkout, scratch: string): Promise<{ base: string; replayed: Replayed }> {
  const config = [...(await neutralised(gitDir)), ...(await ownersIgnores()), ...(await lineEnds(gitDir))];
  const call: GitCall & { workTree: string } = {
    ...{ gitDir, workTree: path, config },
    env: { GIT_INDEX_FILE: scratch, GIT_OPTIONAL_LOCKS: "0" },
  };
  try {
    await copyFile(join(gitDir, "index"), scratch).catch(() => git(["read-tree", head], call));
    const { paths, left } = await changedPaths(call);
    await git(["update-index", "-z", "--add", "--remove", "--replace", "--stdin"], {
      ...call,
      input: paths.map((one) => `${one}\0`).join(""),
    });
    const tree = (await git(["write-tree"], call)).out.trim();
    const files = listed(await git(["diff-tree", "-r", "-z", "--name-only", "--no-renames", head, tree], call)).length;
    const replayed = { from: head, files, left: left.slice(0, leftTold).map((one) => one.slice(0, 300)) };
    if (files === 0) return { base: head, replayed };
    const env = {
      ...call.env,
      ...{
        GIT_AUTHOR_NAME: nobody.name,
        GIT_AUTHOR_EMAIL: nobody.email,
        GIT_COMMITTER_NAME: nobody.name,
        GIT_COMMITTER_EMAIL: nobody.email,
      },
    };
    const message = `Uncommitted changes, as they were\n\nThe owner had them in the checkout when a task was to start with them.\n`;
    const commit = await git(["commit-tree", tree, "-p", head, "-F", "-"], { ...call, env, input: message });
    return { base: commit.out.trim(), replayed };
  } finally {
    await Promise.all([scratch, `${scratch}.lock`].map((file) => rm(file, { force: true })));
  }
}

/** Paths whose content is to be taken from the checkout, and what is left out. */
async function changedPaths(call: GitCall & { workTree: string }) {
  const modified = [...new Set(listed(await git(["diff-files", "-z", "--name-only", "--ignore-submodules=all"], call)))];
  const excludes = artefactDirectories.map((directory) => `--exclude=${directory}/`);
  const others = listed(await git(["ls-files", "-z", "--others", "--exclude-standard", ...excludes], call));
  const nested = others.filter((path) => path.endsWith("/"));
  const secrets = others.filter((path) => !path.endsWith("/") && isSecret(join(call.workTree, path)));
  const plain = others.filter((path) => !nested.includes(path) && !secrets.includes(path));
  const tracks = async (directory: string) => (await git(["ls-files", "-z", "--", directory], call)).out !== "";
  const { wanted, left } = await sift(call.workTree, plain, tracks);
  const filtered = await withFilter(call, [...modified, ...wanted]);
  const paths = [...modified, ...wanted].filter((path) => !filtered.has(path));
  await refuseTooMuch(call.workTree, paths);
  return { paths, left: [...nested, ...secrets, ...left, ...filtered] };
}

/** Files that go through a filter (Git LFS): without it, which never runs here, their commit would hold what it must not. */
async function withFilter(call: GitCall, paths: readonly string[]): Promise<Set<string>> {
  if (paths.length === 0) return new Set();
  const { out } = await git(["check-attr", "-z", "--stdin", "filter"], { ...call, input: paths.map((path) => `${path}\0`).join("") });
  const fields = out.split("\0");
  const filtered = new Set<string>();
  // Each answer is path, attribute, value.
  for (let i = 0; i + 2 < fields.length; i += 3) {
    const [path = "", , value] = fields.slice(i, i + 3);
    if (value !== "unspecified" && value !== "unset") filtered.add(path);
  }
  return filtered;
}

async function refuseTooMuch(root: string, paths: readonly string[]) {
  let bytes = 0;
  if (paths.length <= mostFiles) {
    for (const path of paths)
      bytes += await lstat(join(root, path)).then(
        ({ size }) => size,
        () => 0,
      );
  }
  if (paths.length <= mostFiles && bytes <= mostBytes) return;
  const much = bytes > mostBytes ? `${Math.ceil(bytes / 1024 ** 2)} MB` : `${paths.length} files`;
  throw failed(
    `The checkout holds ${much} of uncommitted changes; a task starts with at most ${mostFiles} files and ${mostBytes / 1024 ** 2} MB. ` +
      "Commit some of it, or put it into .gitignore, or send the task without them.",
  );
}

/** What the owner's own git ignores everywhere: the one setting of theirs that is heeded, since it names files and runs nothing. */
async function ownersIgnores(): Promise<Setting[]> {
  const env = { GIT_CONFIG_GLOBAL: join(process.env.HOME ?? "/", ".gitconfig") };
  const { out } = await git(["config", "--global", "--type=path", "--get", "core.excludesFile"], { env, accept: [1, 128] });
  const own = join(process.env.XDG_CONFIG_HOME || join(process.env.HOME ?? "/", ".config"), "git", "ignore");
  return [["core.excludesFile", out.trim() || own]];
}

const listed = (result: { out: string }) => result.out.split("\0").filter((path) => path !== "");
