/**
 * One git worktree per task and epoch, on a branch of its own, beside the owner's checkout and never in it.
 * What a task started from is written down before the worktree is made, so that it is found again after a crash at any point.
 */
import { existsSync } from "node:fs";
import { mkdir, realpath } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { UacError } from "#core/errors.ts";
import type { Log } from "#ports/log.ts";
import { branchOf, type Workspaces, type Worktree } from "#ports/workspace.ts";
import { artefactDirectories } from "./artefacts.ts";
import { asAtBase, putBack, testChanges } from "./base-tests.ts";
import { commandsOf, type Declared } from "./commands.ts";
import { commitAll, resolve } from "./commit.ts";
import { readConventions } from "./conventions.ts";
import { replayEdits } from "./edits.ts";
import { failed, git, neutralised } from "./git.ts";
import { openDirectories } from "./open-up.ts";
import { branchRecords, type WorktreeRecord, worktreeRecords } from "./records.ts";
import { countUncommitted, discard, findRepository, placeOf, unlock } from "./repository.ts";
import { sweepBranches } from "./retention.ts";
import { turns } from "./turns.ts";

export interface WorkspaceOptions extends Declared {
  /** The owner's repositories: name → absolute path of the checkout. */
  workspaces: Readonly<Record<string, string>>;
  /** Where worktrees live; made if missing. Absolute, outside every workspace. */
  root: string;
  /** Where it is noted which branches they left; made if missing. */
  branches: string;
  log: Log;
}

const taskName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;
/** Another program's git may be at work on the same repository. */
const addTries = 5;

/** Workspaces on this machine's disk. Every method rejects with `workspace_failed`, `not_found` or `bad_input`. */
export function gitWorkspaces({ workspaces, root, branches, log, ...declared }: WorkspaceOptions): Workspaces {
  const pathOf = (name: string) => join(root, name);
  const records = worktreeRecords(root);
  const kept = branchRecords(branches);
  const inTurn = turns();

  async function begin(name: string, workspace: string, withEdits: boolean): Promise<WorktreeRecord> {
    const path = workspaces[workspace];
    if (!path) {
      const known = Object.keys(workspaces).join(", ") || "none";
      const which = workspace ? `This factory has no workspace "${workspace}"` : "The order names no workspace";
      throw new UacError("not_found", `${which}; there are: ${known}. Name one of them, or register another.`);
    }
    const { sourceGitDir, gitDir } = await findRepository(workspace, path);
    const [head, { out: into }, uncommitted] = await Promise.all([
      resolve({ gitDir: sourceGitDir }, "HEAD^{commit}").catch((cause: unknown) => {
        throw failed(`The workspace "${workspace}" has no commit to start from. Commit something in it first.`, cause);
      }),
      git(["symbolic-ref", "--quiet", "--short", "HEAD"], { gitDir: sourceGitDir, accept: [1] }),
      withEdits ? 0 : countUncommitted(path, sourceGitDir),
    ]);
    const start = withEdits
      ? await replayEdits({ path, gitDir: sourceGitDir, head }, join(root, `${name}.index`))
      : { base: head, replayed: null };
    const branch = `uac/${name}`;
    const record = {
      ...{ ...start, uncommitted, workspace, into: into.trim() || null, sourceGitDir, gitDir, branch },
      ...{ test: null, setup: null, ready: false },
    };
    await records.write(name, record);
    return record;
  }

  async function make(name: string, record: WorktreeRecord): Promise<WorktreeRecord> {
    const path = pathOf(name);
    await inTurn(record.gitDir, () => addWorktree(path, record));
    // Two steps: only within the worktree is it known which conditional includes apply, and so which filters there are.
    const place = await placeOf(path, record.gitDir);
    await git(["read-tree", "--reset", "-u", "HEAD"], { ...place, config: await neutralised(place.gitDir) }).catch((cause: unknown) => {
      throw isPartial(cause) ? failed(partial(record), cause) : cause;
    });
    if (existsSync(join(path, ".gitmodules"))) {
      log.warn("the repository has submodules: their files are not in the worktree, so its tests may lack them", { worktree: name });
    }
    const { test, setup } = await commandsOf(record.workspace, path, declared);
    const ready = { ...record, test: test?.command ?? null, setup: setup && withoutOrigin(setup), ready: true };
    await records.write(name, ready);
    return ready;
  }

  async function addWorktree(path: string, record: WorktreeRecord) {
    const source = { gitDir: record.sourceGitDir, cwd: root, config: await neutralised(record.sourceGitDir) };
    let exists = false;
    for (let tries = 1; ; tries += 1) {
      if (tries > 1 || existsSync(path)) await discard(path, source);
      const what = exists ? [path, record.branch] : ["-b", record.branch, path, record.base];
      try {
        await git(["worktree", "add", "--force", "--no-checkout", ...what], source);
        return;
      } catch (error) {
        if (isInTheWay(error)) {
          throw failed(`A branch that is called uac is in the way of ${record.branch}. Rename it: git branch -m uac <another name>`, error);
        }
        if (tries === addTries) throw error;
        log.warn("a worktree could not be added at once", { worktree: path, tries, error });
        // What an earlier attempt committed is kept: then the branch is there, and is taken up again.
        exists = (await git(["show-ref", "--verify", "--quiet", `refs/heads/${record.branch}`], { ...source, accept: [1] })).code === 0;
      }
    }
  }

  return {
    names: () => Object.keys(workspaces),

    async open(workspace, task, epoch, { withEdits } = { withEdits: false }) {
      const name = `${task}-${epoch}`;
      if (!taskName.test(name) || !Number.isInteger(epoch)) throw new UacError("bad_input", `"${name}" cannot name a worktree.`);
      if (!isAbsolute(root)) throw new UacError("bad_config", `The directory of worktrees, "${root}", must be an absolute path.`);
      await mkdir(root, { recursive: true, mode: 0o700 });
      let record = (await records.read(name)) ?? (await begin(name, workspace, withEdits));
      if (record.workspace !== workspace) throw failed(`The worktree ${name} belongs to the workspace "${record.workspace}".`);
      if (record.ready && existsSync(pathOf(name))) {
        const place = await placeOf(pathOf(name), record.gitDir);
        await unlock(place, record.gitDir, record.branch);
        await putBack(place);
      } else record = await make(name, record);
      const path = await realpath(pathOf(name));
      log.info("worktree open", { worktree: name, base: record.base });
      const { gitDir, base, branch, uncommitted, into, replayed, test, setup } = record;
      return { path, workspace, gitDir, base, branch, uncommitted, into, replayed, test, setup };
    },

    conventions: async ({ path }, masked) => readConventions({ root: await realpath(path), masked }),

    async commit(worktree, message, author) {
      const { name, record } = await recorded(worktree);
      await openDirectories(pathOf(name), [".git", ...artefactDirectories]);
      const place = await placeOf(pathOf(name), record.gitDir);
      const result = await commitAll(place, worktree, message, author);
      log.info("worktree commit", { worktree: name, head: result.head, files: result.diffstat.files });
      return result;
    },

    async testChanges(worktree) {
      const { name, record } = await recorded(worktree);
      return testChanges(await placeOf(pathOf(name), record.gitDir), worktree.base, record.test);
    },

    async asAtBase(worktree, paths, run) {
      const { name, record } = await recorded(worktree);
      return asAtBase(await placeOf(pathOf(name), record.gitDir), worktree.base, paths, run);
    },

    close,

    async tidy(open) {
      const stays = new Set(open.map((attempt) => nameOf({ branch: branchOf(attempt) })));
      for (const name of await records.names()) {
        if (stays.has(name)) continue;
        log.info("a worktree is cleared away", { worktree: name });
        // One that can't be removed must not keep the others.
        await close({ branch: `uac/${name}` }).catch((error: unknown) => log.warn("a worktree stays behind", { worktree: name, error }));
      }
    },

    sweep: (by) => sweepBranches({ kept, log, inTurn }, by),
  };

  async function close(worktree: Pick<Worktree, "branch">) {
    const { name, record } = await recorded(worktree).catch(() => ({ name: nameOf(worktree), record: null }));
    if (!record) return;
    const source = { gitDir: record.sourceGitDir, cwd: root, config: await neutralised(record.sourceGitDir) };
    const ref = `refs/heads/${record.branch}`;
    const tip = await resolve(source, ref).catch(() => null);
    if (tip !== null && tip !== record.base) {
      const { workspace, gitDir, branch } = record;
      await kept.write(name, { workspace, gitDir, branch, tip, endedAt: Date.now() });
    }
    await inTurn(record.gitDir, async () => {
      await discard(pathOf(name), source);
      // With the old value given, a branch that has moved meanwhile stays.
      if (tip === record.base) await git(["update-ref", "-d", ref, record.base], source);
    });
    await records.forget(name);
  }

  function nameOf(worktree: Pick<Worktree, "branch">) {
    return worktree.branch.replace(/^uac\//, "");
  }

  async function recorded(worktree: Pick<Worktree, "branch">) {
    const name = nameOf(worktree);
    const record = taskName.test(name) ? await records.read(name) : null;
    if (!record) throw failed(`There is no worktree ${name} here (any more).`);
    return { name, record };
  }
}

/** Git keeps a branch as a file, and the others below its name would need a directory there. */
function isInTheWay(error: unknown) {
  return error instanceof UacError && error.message.includes("'refs/heads/uac' exists");
}

/** A partial clone fetches files when they are looked at, which is off here. */
function isPartial(error: unknown) {
  return error instanceof UacError && /lazy fetching disabled|from promisor remote/.test(error.message);
}

function partial({ workspace, base }: WorktreeRecord) {
  return (
    `The workspace "${workspace}" is a partial clone, and lacks files of its own commit; nothing is fetched here. ` +
    `Have git fetch them, in the checkout: git archive ${base.slice(0, 12)} > /dev/null`
  );
}

function withoutOrigin<T extends { declared: boolean }>({ declared: _, ...setup }: T): Omit<T, "declared"> {
  return setup;
}
