/** The host's commit of what lies in a worktree, and what it amounts to. Plumbing only: it knows no hooks and no signing. */
import { createHash } from "node:crypto";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import type { Changes, Worktree } from "#ports/workspace.ts";
import { isSecret } from "../sandbox/secrets.ts";
import { artefactDirectories, sift } from "./artefacts.ts";
import { type GitCall, git, neutralised } from "./git.ts";
import { changedSubmodules, refuseRepositories } from "./nested.ts";
import { openFiles } from "./open-up.ts";
import type { Place } from "./repository.ts";

/** As the receipt bounds them: characters. */
const patchMax = 150_000;
const statMax = 8_000;
const leftShown = 10;

const plainDiff = ["diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color"];

/** Commits everything but artefacts, or without an author only measures it. A second call with nothing new gives the same facts. */
export async function commitAll(
  place: Place,
  worktree: Worktree,
  message: string,
  author: { name: string; email: string } | null,
): Promise<Changes> {
  const call: GitCall & Place = { ...place, config: await neutralised(place.gitDir) };
  const [left, at] = await Promise.all([stage(call), git(["rev-parse", "HEAD", "HEAD^{tree}", `${worktree.base}^{tree}`], call)]);
  const [tip = "", ofTip = "", ofBase = ""] = at.out.split("\n");
  const tree = (await git(["write-tree"], call)).out.trim();
  const measured = measure(call, ofBase, tree, left);
  if (!author) return { head: null, ...(await measured) };
  if (tree === ofTip) return { head: tip === worktree.base ? null : tip, ...(await measured) };
  const env = {
    ...{ GIT_AUTHOR_NAME: author.name, GIT_AUTHOR_EMAIL: author.email },
    ...{ GIT_COMMITTER_NAME: author.name, GIT_COMMITTER_EMAIL: author.email },
  };
  async function commit() {
    const head = (await git(["commit-tree", tree, "-p", tip, "-F", "-"], { ...call, env, input: message })).out.trim();
    await git(["update-ref", "-m", "commit", `refs/heads/${worktree.branch}`, head, tip], { ...call, env });
    return head;
  }
  const [head, facts] = await Promise.all([commit(), measured]);
  return { head, ...facts };
}

/** Puts the worktree into its index; answers what was left out. */
async function stage(call: GitCall & Place): Promise<string[]> {
  const excludes = artefactDirectories.map((directory) => `--exclude=${directory}/`);
  const [others, modified, submodules] = await Promise.all([
    git(["ls-files", "-z", "--others", "--exclude-standard", ...excludes], call).then(listed),
    git(["diff-files", "-z", "--name-only", "--ignore-submodules=all"], call).then(listed),
    changedSubmodules(call),
  ]);
  const tracks = async (directory: string) => (await git(["ls-files", "-z", "--", directory], call)).out !== "";
  const { wanted, left } = await sift(
    call.workTree,
    others.filter((path) => !path.endsWith("/")),
    tracks,
  );
  await refuseRepositories(call.workTree, [...others.filter((path) => path.endsWith("/")), ...modified, ...wanted]);
  left.push(...submodules);
  await openFiles(call.workTree, [...modified, ...wanted]);
  const secrets = wanted.filter((path) => isSecret(join(call.workTree, path)));
  const formless = await withoutForm(call.workTree, modified);
  const update = (flags: string[], paths: string[]) =>
    git(["update-index", "-z", ...flags, "--stdin"], { ...call, input: paths.map((path) => `${path}\0`).join("") });
  if (formless.size > 0) await update(["--force-remove"], [...formless]);
  const kept = [...modified.filter((path) => !formless.has(path)), ...wanted.filter((path) => !secrets.includes(path))];
  await update(["--add", "--remove", "--replace"], kept);
  return [...secrets, ...left];
}

/** Those of the tracked `paths` that are pipes, sockets or devices now, so removed: git would refuse the whole commit for one of them. */
async function withoutForm(root: string, paths: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const path of paths) {
    const stat = await lstat(join(root, path)).catch(() => null);
    if (stat && !stat.isFile() && !stat.isSymbolicLink() && !stat.isDirectory()) found.add(path);
  }
  return found;
}

/** What lies between two trees. */
async function measure(call: GitCall, base: string, tree: string, left: readonly string[]): Promise<Omit<Changes, "head">> {
  const note =
    left.length > 0
      ? `left out as artefacts or secrets: ${left.slice(0, leftShown).join(", ")}${left.length > leftShown ? ", …" : ""}\n`
      : "";
  if (tree === base) return { diffstat: { files: 0, insertions: 0, deletions: 0, text: note }, patch: null, patchSha256: null };
  const [counts, patch] = await Promise.all([git([...plainDiff, "--numstat", "--stat=100", base, tree], call), patchOf(call, base, tree)]);
  // First a row for each file: lines added, removed, path. A line of the picture begins with a blank.
  const lines = counts.out.split("\n");
  const rows = lines.filter((line) => /^[\d-]+\t/.test(line)).map((line) => line.split("\t"));
  const picture = lines.slice(rows.length).join("\n");
  // A binary file counts "-" lines.
  const sum = (column: 0 | 1) => rows.reduce((total, row) => total + (Number(row[column]) || 0), 0);
  return {
    diffstat: { files: rows.length, insertions: sum(0), deletions: sum(1), text: shortened(picture, statMax - note.length) + note },
    ...patch,
  };
}

async function patchOf(call: GitCall, base: string, tree: string): Promise<{ patch: string | null; patchSha256: string }> {
  const hash = createHash("sha256");
  const kept: Buffer[] = [];
  let size = 0;
  const onOutput = (chunk: Buffer) => {
    hash.update(chunk);
    size += chunk.length;
    if (size <= patchMax) kept.push(chunk);
  };
  await git([...plainDiff, "-p", base, tree], { ...call, onOutput });
  const bytes = Buffer.concat(kept);
  const patch = bytes.toString("utf8");
  // Not UTF-8: as text it would be another patch than the one that the digest names.
  const whole = size <= patchMax && Buffer.from(patch, "utf8").equals(bytes);
  return { patch: whole ? patch : null, patchSha256: hash.digest("hex") };
}

/** The last line of a diffstat is its sum: the middle goes. */
function shortened(text: string, max: number) {
  if (text.length <= max) return text;
  const sum = text.slice(text.trimEnd().lastIndexOf("\n") + 1);
  const start = text.slice(0, max - sum.length - 3);
  return `${start.slice(0, start.lastIndexOf("\n") + 1)}…\n${sum}`;
}

const listed = (result: { out: string }) => result.out.split("\0").filter((path) => path !== "");

export async function resolve(call: GitCall, name: string): Promise<string> {
  return (await git(["rev-parse", "--verify", "--end-of-options", name], call)).out.trim();
}
