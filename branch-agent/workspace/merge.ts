/**
 * Clean merges by plumbing: no checkout, no hook, no merge driver, no editor. Where the target stands on the branch's own history it is
 * moved forward; else a merge commit is made of what `git merge-tree` merges without a conflict.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { UacError } from "#core/errors.ts";
import type { Follow } from "#core/follow-up.ts";
import type { Author, Done } from "#ports/follow-up.ts";
import { resolve } from "./commit.ts";
import { failed, type GitCall, git, neutralised } from "./git.ts";
import { moveAlong } from "./owners-checkout.ts";

const conflictsShown = 5;

/** `gitDir` is the one that all worktrees share. */
export async function merge(gitDir: string, follow: Follow, author: Author): Promise<Done> {
  const { branch, head, into } = follow;
  if (into === null) throw new UacError("conflict", "Not merged: it was not said into which branch.");
  const ref = `refs/heads/${into}`;
  await mustBeName(ref);
  const config = [...(await neutralised(gitDir)), ["merge.default", "text"] as const, ["merge.renormalize", "false"] as const];
  const call: GitCall = { gitDir, config };
  await mustHold(call, branch, head);
  const from = await tipOf(call, into);
  if (from === null) throw new UacError("conflict", `Not merged: there is no branch ${into} any more.`);
  if (await isAncestor(call, head, from)) return { already: true, ref, head: from, answer: "", url: null };
  await mustBeAt(call, branch, head, "Not merged");

  const forward = await isAncestor(call, from, head);
  const tree = forward ? await resolve(call, `${head}^{tree}`) : await mergedTree(call, from, follow);
  const to = forward ? head : await commitOf(call, { tree, parents: [from, head], message: messageOf(follow), author });
  const move = { ref, from, to, tree, why: `merge ${branch}` };

  await mustNotBeRebased(gitDir, into);
  const checkout = (await checkoutsOf(call)).find((one) => one.branch === ref);
  const moving = checkout
    ? byHand(() => moveOwners(checkout.path, move), checkout.path, branch)
    : git(["update-ref", "-m", move.why, ref, to, from], call);
  await moving.catch(async (cause: unknown) => {
    if ((await tipOf(call, into)) === from) throw cause;
    throw new UacError("conflict", `Not merged: ${into} moved just now. Nothing was changed; ask again.`, { cause });
  });
  return { already: false, ref, head: await resolve(call, ref), answer: "", url: null };
}

async function moveOwners(path: string, move: Parameters<typeof moveAlong>[1]) {
  if (!(await stat(path).catch(() => null))?.isDirectory()) throw new UacError("conflict", `Not merged: your checkout at ${path} is away.`);
  const { out } = await git(["rev-parse", "--path-format=absolute", "--git-dir"], { cwd: path });
  await moveAlong({ gitDir: out.trim(), workTree: path }, move);
}

/** Says what the owner can run instead. */
async function byHand(deed: () => Promise<void>, path: string, branch: string) {
  await deed().catch((error: unknown) => {
    if (!(error instanceof UacError)) throw error;
    throw new UacError(error.code, `${error.message} By hand: git -C ${quoted(path)} merge ${branch}`, { cause: error });
  });
}

function quoted(path: string) {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

async function mergedTree(call: GitCall, from: string, { branch, head, into }: Follow): Promise<string> {
  const { code, out } = await git(["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", from, head], {
    ...call,
    accept: [1],
  });
  const [tree = "", ...files] = out.split("\0").filter((field) => field !== "");
  if (code === 0) return tree;
  const names = `${files.slice(0, conflictsShown).join(", ")}${files.length > conflictsShown ? ", …" : ""}`;
  throw new UacError(
    "conflict",
    `Not merged: ${branch} and ${into} changed the same lines in ${names}. Merge it by hand (git merge ${branch}), or have the task done again.`,
  );
}

function messageOf({ branch, into, of, epoch }: Follow) {
  return `Merge branch '${branch}' into ${into}\n\nTask ${of}, attempt ${epoch}; merged with the owner's approval.`;
}

async function commitOf(
  call: GitCall,
  { tree, parents, message, author }: { tree: string; parents: readonly string[]; message: string; author: Author },
): Promise<string> {
  const env = {
    ...{ GIT_AUTHOR_NAME: author.name, GIT_AUTHOR_EMAIL: author.email },
    ...{ GIT_COMMITTER_NAME: author.name, GIT_COMMITTER_EMAIL: author.email },
  };
  const args = ["commit-tree", tree, ...parents.flatMap((parent) => ["-p", parent]), "-F", "-"];
  return (await git(args, { ...call, env, input: message })).out.trim();
}

/** Git's own word on whether this can be a ref. */
export async function mustBeName(ref: string): Promise<void> {
  const { code } = await git(["check-ref-format", ref], { accept: [1] });
  if (code !== 0) throw new UacError("conflict", `"${ref}" is no name of a branch.`);
}

/** The commit that a branch is at; null: there is no such branch. */
export async function tipOf(call: GitCall, branch: string): Promise<string | null> {
  const { code, out } = await git(["show-ref", "--verify", "--hash", `refs/heads/${branch}`], { ...call, accept: [1, 128] });
  return code === 0 ? out.trim() : null;
}

/** Rejects with `conflict` unless the branch is where its task left it. */
export async function mustBeAt(call: GitCall, branch: string, head: string, what: string): Promise<void> {
  const tip = await tipOf(call, branch);
  if (tip === head) return;
  const where =
    tip === null ? `there is no branch ${branch} any more` : `${branch} is at ${tip.slice(0, 12)} now, not at ${head.slice(0, 12)}`;
  throw new UacError("conflict", `${what}: ${where}. Ask again for what is there now.`);
}

async function mustHold(call: GitCall, branch: string, head: string) {
  const { code } = await git(["cat-file", "-e", `${head}^{commit}`], { ...call, accept: [1, 128] });
  if (code !== 0) throw new UacError("conflict", `The commit ${head.slice(0, 12)} of ${branch} is not in this repository any more.`);
}

async function isAncestor(call: GitCall, old: string, young: string): Promise<boolean> {
  return (await git(["merge-base", "--is-ancestor", old, young], { ...call, accept: [1] })).code === 0;
}

/** Every checkout of the repository, with the branch that it is on; those on a disk that is away too. */
export async function checkoutsOf(call: GitCall): Promise<{ path: string; branch: string | null }[]> {
  const { out } = await git(["worktree", "list", "--porcelain", "-z"], call);
  return out.split("\0\0").flatMap((record) => {
    const lines = record.split("\0");
    const value = (name: string) => lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? null;
    const path = value("worktree");
    return path === null || lines.includes("bare") ? [] : [{ path, branch: value("branch") }];
  });
}

/** A rebase or a bisect has its branch checked out nowhere, and writes it at the end. */
async function mustNotBeRebased(gitDir: string, into: string) {
  const others = await readdir(join(gitDir, "worktrees")).catch(() => []);
  const places = [gitDir, ...others.map((name) => join(gitDir, "worktrees", name))];
  for (const place of places) {
    for (const file of ["rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START"]) {
      const name = (await readFile(join(place, file), "utf8").catch(() => "")).trim();
      if (name === into || name === `refs/heads/${into}`) {
        throw new UacError("conflict", `Not merged: ${into} is in the middle of a rebase or a bisect. Finish that first.`);
      }
    }
  }
}

/** Deletes the branch, if it is where its task left it. */
export async function discardBranch(gitDir: string, { branch, head }: Follow): Promise<Done> {
  const ref = `refs/heads/${branch}`;
  const call: GitCall = { gitDir, config: await neutralised(gitDir) };
  const done = { ref, head: null, answer: "", url: null };
  if ((await tipOf(call, branch)) === null) return { ...done, already: true };
  await mustBeAt(call, branch, head, "Not discarded");
  const checkout = (await checkoutsOf(call)).find((one) => one.branch === ref);
  if (checkout)
    throw new UacError("conflict", `Not discarded: ${branch} is checked out at ${checkout.path}. Switch to another branch there first.`);
  await git(["update-ref", "-d", ref, head], call);
  if ((await tipOf(call, branch)) !== null) throw failed(`${branch} is still there after it was deleted.`);
  return { ...done, already: false };
}
