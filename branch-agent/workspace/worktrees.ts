/**
 * One git worktree per task and epoch, on a branch of its own, beside the owner's checkout and never in it.
 * What a task started from is written down before the worktree is made, so that it is found again after a crash at any point.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import * as z from "zod";
import { UacError } from "#core/errors.ts";
import type { Log } from "#ports/log.ts";
import { branchOf, type Workspaces, type Worktree } from "#ports/workspace.ts";
import { asAtBase, putBack, testChanges } from "./base-tests.ts";
import { commitAll, type Place, resolve } from "./commit.ts";
import { readConventions } from "./conventions.ts";
import { detectTest } from "./detect-test.ts";
import { failed, git, neutralised } from "./git.ts";

export interface WorkspaceOptions {
  /** The owner's repositories: name → absolute path of the checkout. */
  workspaces: Readonly<Record<string, string>>;
  /** Where worktrees live; made if missing. Absolute, outside every workspace. */
  root: string;
  /** Test commands by workspace, over what would be detected. */
  test?: Readonly<Record<string, string>>;
  log: Log;
}

/** What is remembered of a worktree, beside it. */
const recordSchema = z.strictObject({
  workspace: z.string(),
  /** The owner's checkout's git directory, and the one that all its worktrees share. */
  sourceGitDir: z.string(),
  gitDir: z.string(),
  base: z.string(),
  uncommitted: z.int().nonnegative(),
  /** The branch that the checkout was on; null: on none, or an earlier version did not look. */
  into: z.string().nullable().default(null),
  branch: z.string(),
  test: z.string().nullable(),
  /** The files are all there: what a crash left half made is made anew. */
  ready: z.boolean(),
});
type Remembered = z.infer<typeof recordSchema>;

const taskName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;

/** Workspaces on this machine's disk. Every method rejects with `workspace_failed`, `not_found` or `bad_input`. */
export function gitWorkspaces({ workspaces, root, test = {}, log }: WorkspaceOptions): Workspaces {
  const pathOf = (name: string) => join(root, name);
  const recordOf = (name: string) => join(root, `${name}.json`);

  async function readRecord(name: string): Promise<Remembered | null> {
    const text = await readFile(recordOf(name), "utf8").catch(() => null);
    return text === null ? null : recordSchema.parse(JSON.parse(text));
  }

  async function writeRecord(name: string, record: Remembered) {
    const draft = `${recordOf(name)}.tmp`;
    await writeFile(draft, JSON.stringify(record), { flush: true });
    await rename(draft, recordOf(name));
  }

  async function begin(name: string, workspace: string): Promise<Remembered> {
    const path = workspaces[workspace];
    if (!path) {
      const known = Object.keys(workspaces).join(", ") || "none";
      const which = workspace ? `This factory has no workspace "${workspace}"` : "The order names no workspace";
      throw new UacError("not_found", `${which}; there are: ${known}. Name one of them, or register another.`);
    }
    const { sourceGitDir, gitDir } = await findRepository(workspace, path);
    const base = await resolve({ gitDir: sourceGitDir }, "HEAD^{commit}").catch((cause: unknown) => {
      throw failed(`The workspace "${workspace}" has no commit to start from. Commit something in it first.`, cause);
    });
    const uncommitted = await countUncommitted(path, sourceGitDir);
    const into = (await git(["symbolic-ref", "--quiet", "--short", "HEAD"], { gitDir: sourceGitDir, accept: [1] })).out.trim() || null;
    const record = { workspace, uncommitted, into, sourceGitDir, gitDir, base, branch: `uac/${name}`, test: null, ready: false };
    await writeRecord(name, record);
    return record;
  }

  async function make(name: string, record: Remembered): Promise<Remembered> {
    const path = pathOf(name);
    const source = { gitDir: record.sourceGitDir, cwd: root, config: await neutralised(record.sourceGitDir) };
    await discard(path, source);
    // What an earlier attempt committed is kept: then the branch is there, and is taken up again.
    const exists = (await git(["show-ref", "--verify", "--quiet", `refs/heads/${record.branch}`], { ...source, accept: [1] })).code === 0;
    const what = exists ? [path, record.branch] : ["-b", record.branch, path, record.base];
    await git(["worktree", "add", "--force", "--no-checkout", ...what], source);
    // Two steps: only within the worktree is it known which conditional includes apply, and so which filters there are.
    const place = await placeOf(path, record);
    await git(["read-tree", "--reset", "-u", "HEAD"], { ...place, config: await neutralised(place.gitDir) });
    const ready = { ...record, test: test[record.workspace] ?? (await detectTest(path)), ready: true };
    await writeRecord(name, ready);
    return ready;
  }

  return {
    names: () => Object.keys(workspaces),

    async open(workspace, task, epoch) {
      const name = `${task}-${epoch}`;
      if (!taskName.test(name) || !Number.isInteger(epoch)) throw new UacError("bad_input", `"${name}" cannot name a worktree.`);
      if (!isAbsolute(root)) throw new UacError("bad_config", `The directory of worktrees, "${root}", must be an absolute path.`);
      await mkdir(root, { recursive: true, mode: 0o700 });
      let record = (await readRecord(name)) ?? (await begin(name, workspace));
      if (record.workspace !== workspace) throw failed(`The worktree ${name} belongs to the workspace "${record.workspace}".`);
      if (record.ready && existsSync(pathOf(name))) {
        const place = await placeOf(pathOf(name), record);
        await unlock(place, record);
        await putBack(place);
      } else record = await make(name, record);
      const path = await realpath(pathOf(name));
      log.info("worktree open", { worktree: name, base: record.base });
      const { gitDir, base, branch, uncommitted, into } = record;
      return { path, workspace, gitDir, base, branch, uncommitted, into, test: record.test };
    },

    conventions: async ({ path }, masked) => readConventions({ root: await realpath(path), masked }),

    async commit(worktree, message, author) {
      const { name, record } = await recorded(worktree);
      const place = await placeOf(pathOf(name), record);
      const result = await commitAll(place, worktree, message, author);
      log.info("worktree commit", { worktree: name, head: result.head, files: result.diffstat.files });
      return result;
    },

    async testChanges(worktree) {
      const { name, record } = await recorded(worktree);
      return testChanges(await placeOf(pathOf(name), record), worktree.base);
    },

    async asAtBase(worktree, paths, run) {
      const { name, record } = await recorded(worktree);
      return asAtBase(await placeOf(pathOf(name), record), worktree.base, paths, run);
    },

    close,

    async tidy(open) {
      const kept = new Set(open.map((attempt) => nameOf({ branch: branchOf(attempt) })));
      const records = (await readdir(root).catch(() => [])).filter((file) => file.endsWith(".json"));
      for (const name of records.map((file) => file.slice(0, -".json".length))) {
        if (kept.has(name)) continue;
        log.info("a worktree is cleared away", { worktree: name });
        // One that can't be removed must not keep the others.
        await close({ branch: `uac/${name}` }).catch((error: unknown) => log.warn("a worktree stays behind", { worktree: name, error }));
      }
    },
  };

  async function close(worktree: Pick<Worktree, "branch">) {
    const { name, record } = await recorded(worktree).catch(() => ({ name: nameOf(worktree), record: null }));
    if (!record) return;
    const source = { gitDir: record.sourceGitDir, cwd: root, config: await neutralised(record.sourceGitDir) };
    await discard(pathOf(name), source);
    const tip = await resolve(source, `refs/heads/${record.branch}`).catch(() => null);
    // With the old value given, a branch that has moved meanwhile stays.
    if (tip === record.base) await git(["update-ref", "-d", `refs/heads/${record.branch}`, record.base], source);
    await rm(recordOf(name), { force: true });
  }

  function nameOf(worktree: Pick<Worktree, "branch">) {
    return worktree.branch.replace(/^uac\//, "");
  }

  async function recorded(worktree: Pick<Worktree, "branch">) {
    const name = nameOf(worktree);
    const record = taskName.test(name) ? await readRecord(name) : null;
    if (!record) throw failed(`There is no worktree ${name} here (any more).`);
    return { name, record };
  }
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

/** By the `.git` file, which is read-only in the sandbox; believed only if the repository lists a worktree there that points back. */
async function placeOf(path: string, record: Remembered): Promise<Place> {
  try {
    const workTree = await realpath(path);
    const link = join(workTree, ".git");
    const gitDir = await realpath(/^gitdir: (.+)$/m.exec(await readFile(link, "utf8"))?.[1] ?? "");
    const back = await realpath((await readFile(join(gitDir, "gitdir"), "utf8")).trim());
    if (dirname(gitDir) === join(record.gitDir, "worktrees") && back === link) return { gitDir, workTree };
  } catch {
    // Told below.
  }
  throw failed(`The worktree at ${path} has lost its link to the repository. Send the task again.`);
}

/** Locks that a killed git left. Nobody else writes here: the owner works elsewhere, and the sandbox may not. */
async function unlock(place: Place, record: Remembered) {
  const locks = [
    join(place.gitDir, "index.lock"),
    join(place.gitDir, "HEAD.lock"),
    join(record.gitDir, `refs/heads/${record.branch}.lock`),
  ];
  await Promise.all(locks.map((path) => rm(path, { force: true })));
}

/** Removes a worktree and the repository's note of it; other worktrees' notes stay, also of those on a disk that is away. */
async function discard(path: string, source: { gitDir: string; cwd: string }) {
  await git(["worktree", "remove", "--force", "--force", path], { ...source, accept: [128] });
  await rm(path, { recursive: true, force: true });
}

/** Looks at the owner's checkout without refreshing its index. A bare repository has none. */
async function countUncommitted(path: string, gitDir: string): Promise<number> {
  const call = { cwd: path, config: await neutralised(gitDir), env: { GIT_OPTIONAL_LOCKS: "0" } };
  if ((await git(["rev-parse", "--is-inside-work-tree"], call)).out.trim() !== "true") return 0;
  const { out } = await git(["status", "--porcelain=v1", "-z", "--no-renames", "--ignore-submodules=all"], call);
  return out.split("\0").filter((line) => line !== "").length;
}
