/**
 * The one case in which a checkout of the owner's is written to: it is on the branch that a merge moves. Else its files would be of
 * another commit than its branch, and the owner's next commit would undo the merge. So it is moved along, or nothing happens at all:
 * only files that the owner has neither changed nor would lose anything by, by git's own two-tree merge, which never overwrites.
 */
import { lstat, stat } from "node:fs/promises";
import { join } from "node:path";
import { UacError } from "#core/errors.ts";
import { type GitCall, git, neutralised } from "./git.ts";
import { moveHeld, type RefMove } from "./held-ref.ts";
import { lineEnds } from "./line-ends.ts";
import type { Place } from "./repository.ts";

/** What git writes down while it is in the middle of something. */
const underWay = ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply", "BISECT_START", "index.lock"];
const namesShown = 5;

/** Rejects with `conflict`, before anything is written, unless the checkout can go along. `tree` is that of `move.to`. Repeatable after a kill. */
export async function moveAlong(place: Place, move: RefMove & { tree: string }): Promise<void> {
  const { workTree, gitDir } = place;
  const call = { ...place, config: [...(await neutralised(gitDir)), ...(await lineEnds(gitDir))] };
  const refuse = (why: string) => {
    throw new UacError("conflict", `Not merged: your checkout at ${workTree} is on that branch, and ${why}.`);
  };
  for (const name of underWay) if (await exists(join(gitDir, name))) refuse(`git is in the middle of something there (${name})`);
  const mine = process.getuid?.();
  if (mine !== undefined && (await stat(workTree)).uid !== mine) refuse("it is another user's than this factory's");
  const sparse = await git(["config", "--get", "core.sparseCheckout"], { gitDir, config: [], accept: [1], env: { GIT_CONFIG_COUNT: "0" } });
  if (sparse.out.trim() === "true") refuse("it is a sparse one");

  const changes = await changesBetween(call, move.from, move.tree);
  await refuseWhatNeedsMore(call, changes, refuse);
  const { edited, staged } = await inHand(call);
  if (edited.length > 0) refuse(`you have changes in hand there: ${shown(edited)}`);
  // Staged is what an attempt that was cut off between the two steps left, or work of the owner's.
  const moved = staged.length > 0;
  if (moved && (await git(["diff-index", "--cached", "--quiet", move.tree], { ...call, accept: [1] })).code !== 0) {
    refuse(`you have changes in hand there: ${shown(staged)}`);
  }
  const inTheWay = moved ? [] : await present(workTree, changes);
  if (inTheWay.length > 0) refuse(`files of yours that git does not track would be overwritten: ${shown(inTheWay)}`);

  await moveHeld(move, call, async () => {
    if (moved) return;
    await git(["update-index", "-q", "--refresh"], { ...call, accept: [1] });
    await git(["read-tree", "-m", "-u", move.from, move.tree], call).catch((cause: unknown) => {
      // Changed just now, or by files that git was told not to look at; git looks before it overwrites.
      const why = cause instanceof UacError ? ` ${cause.message}.` : "";
      throw new UacError(
        "conflict",
        `Not merged: in your checkout at ${workTree} something of yours was in the way, and nothing was changed.${why}`,
        {
          cause,
        },
      );
    });
  });
}

interface Change {
  path: string;
  added: boolean;
  submodule: boolean;
}

async function changesBetween(call: GitCall, from: string, to: string): Promise<Change[]> {
  const { out } = await git(["diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-ext-diff", from, to], call);
  const fields = out.split("\0");
  return Array.from({ length: Math.floor(fields.length / 2) }, (_, i) => {
    const [was = "", is = "", , , status = ""] = (fields[2 * i] ?? "").slice(1).split(" ");
    return { path: fields[2 * i + 1] ?? "", added: status === "A", submodule: was === "160000" || is === "160000" };
  });
}

/** Filters and submodules are off in this program's git, and attributes decide on filters: such files would be written wrongly. */
async function refuseWhatNeedsMore(call: GitCall, changes: readonly Change[], refuse: (why: string) => void) {
  const submodule = changes.find((change) => change.submodule || change.path === ".gitmodules");
  if (submodule) refuse(`a submodule changes: ${submodule.path}`);
  const attributes = changes.find(({ path }) => path.split("/").at(-1) === ".gitattributes");
  if (attributes) refuse(`the merge changes what git does with files: ${attributes.path}`);
  const input = changes.map(({ path }) => `${path}\0`).join("");
  const { out } = await git(["check-attr", "--stdin", "-z", "filter", "working-tree-encoding", "ident"], { ...call, input });
  const fields = out.split("\0");
  for (let i = 0; i + 2 < fields.length; i += 3) {
    const value = fields[i + 2] ?? "";
    if (value !== "unspecified" && value !== "unset") refuse(`${fields[i]} goes by a filter (${fields[i + 1]}: ${value})`);
  }
}

/** Tracked files that the owner has in hand: other than the index, and other in the index than the commit. */
async function inHand(call: GitCall): Promise<{ edited: string[]; staged: string[] }> {
  const args = ["status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=none"];
  const { out } = await git(args, { ...call, env: { GIT_OPTIONAL_LOCKS: "0" } });
  const edited: string[] = [];
  const staged: string[] = [];
  for (const line of out.split("\0").filter((one) => one !== "")) {
    const [kind = "", xy = ""] = line.split(" ", 2);
    // `1 XY sub mH mI mW hH hI path`; `u` has a commit and a mode more.
    const path = line
      .split(" ")
      .slice(kind === "u" ? 10 : 8)
      .join(" ");
    if (kind === "u" || xy[1] !== ".") edited.push(path);
    else if (xy[0] !== ".") staged.push(path);
  }
  return { edited, staged };
}

/** What the merge adds and the owner has lying there, ignored or not. A file where a directory is to be counts too. */
async function present(workTree: string, changes: readonly Change[]): Promise<string[]> {
  const found: string[] = [];
  for (const { path } of changes.filter((change) => change.added)) {
    const kind = await lstat(join(workTree, path)).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code === "ENOTDIR",
    );
    if (kind) found.push(path);
  }
  return found;
}

function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function shown(paths: readonly string[]) {
  return `${paths.slice(0, namesShown).join(", ")}${paths.length > namesShown ? ` and ${paths.length - namesShown} more` : ""}`;
}
