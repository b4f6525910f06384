/** Merge, push, pull request and discard in the owner's repositories on this machine's disk. */
import { UacError } from "#core/errors.ts";
import { type Follow, type FollowDo, type Prospects, prospectsSchema } from "#core/follow-up.ts";
import type { FollowUps } from "#ports/follow-up.ts";
import type { Worktree } from "#ports/workspace.ts";
import { git, neutralised } from "./git.ts";
import { discardBranch, merge, mustBeAt, mustBeName, tipOf } from "./merge.ts";
import { findGh, pullRequest } from "./pull-request.ts";
import { push } from "./push.ts";
import { type Remote, remoteFor } from "./remote.ts";
import { findRepository } from "./repository.ts";
import { turns } from "./turns.ts";

/** `workspaces`: name → absolute path of the checkout. */
export function gitFollowUps({ workspaces }: { workspaces: Readonly<Record<string, string>> }): FollowUps {
  // Two that are approved at once may want the same branch, or the same checkout.
  const inTurn = turns();

  async function gitDirOf(workspace: string): Promise<string> {
    const path = workspaces[workspace];
    if (!path) throw new UacError("conflict", `This factory has no workspace "${workspace}" any more.`);
    return (await findRepository(workspace, path)).gitDir;
  }

  /** What may be pushed, to where: both as they were approved. */
  async function toPush(workspace: string, { branch, head, into, remote: approved }: Follow): Promise<{ gitDir: string; remote: Remote }> {
    const gitDir = await gitDirOf(workspace);
    await mustBeName(`refs/heads/${branch}`);
    await mustBeAt({ gitDir }, branch, head, "Not pushed");
    const remote = await remoteFor(gitDir, into);
    if (remote?.shown !== approved || remote === null) {
      throw new UacError(
        "conflict",
        `Not pushed: the remote is ${remote?.shown ?? "none that is spoken to"} now, not ${approved}. Ask again.`,
      );
    }
    return { gitDir, remote };
  }

  return {
    prospects,

    async remoteOf(workspace, into) {
      return (await remoteFor(await gitDirOf(workspace), into))?.shown ?? null;
    },

    async merge(workspace, follow, author) {
      const gitDir = await gitDirOf(workspace);
      return inTurn(gitDir, () => merge(gitDir, follow, author));
    },

    async push(workspace, follow, signal) {
      const { gitDir, remote } = await toPush(workspace, follow);
      return push(gitDir, remote, follow, signal);
    },

    async openPullRequest(workspace, follow, signal) {
      const { gitDir, remote } = await toPush(workspace, follow);
      if (remote.project === null)
        throw new UacError("conflict", `Not proposed: ${remote.shown} names no owner and repository that gh knows.`);
      const pushed = await push(gitDir, remote, follow, signal);
      return { ...pushed, ...(await pullRequest(remote.project, follow, signal)) };
    },

    async discard(workspace, follow) {
      const gitDir = await gitDirOf(workspace);
      return inTurn(gitDir, () => discardBranch(gitDir, follow));
    },
  };
}

async function prospects({ gitDir, base, into: wanted }: Worktree, mayPush: boolean): Promise<Prospects> {
  const call = { gitDir, config: await neutralised(gitDir) };
  // A branch that was rewritten meanwhile holds the base no more: nothing is merged into it by a tap.
  const named = prospectsSchema.shape.into.safeParse(wanted).success;
  const tip = wanted === null || !named ? null : await tipOf(call, wanted);
  const isAbove = async (one: string) => (await git(["merge-base", "--is-ancestor", base, one], { ...call, accept: [1] })).code === 0;
  const holds = tip !== null && (tip === base || (await isAbove(tip)));
  const into = holds ? wanted : null;
  const remote = mayPush ? await remoteFor(gitDir, into) : null;
  const mayPropose = remote?.project && into !== null && (await findGh()) !== null;
  const can: FollowDo[] = [
    ...(into === null ? [] : (["merge"] as const)),
    ...(remote === null ? [] : (["push"] as const)),
    ...(mayPropose ? (["pr"] as const) : []),
    "discard",
  ];
  return { into, remote: remote?.shown ?? null, can };
}
