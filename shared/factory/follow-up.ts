/** A follow-up at its factory: no model, no worktree, no sandbox. What is done is what was approved, looked at anew, or nothing. */
import { hasCode, publicMessage } from "#core/errors.ts";
import { type Follow, type FollowDo, type Followed, followWords, type Prospects } from "#core/follow-up.ts";
import { noTotal } from "#core/ledger.ts";
import type { Action } from "#core/ops-token.ts";
import type { Receipt } from "#core/receipt.ts";
import type { Done } from "#ports/follow-up.ts";
import { branchOf } from "#ports/workspace.ts";
import { digestOf } from "./approval.ts";
import type { Bench, Outcome } from "./bench.ts";
import type { Workshop } from "./branch.ts";
import { releasing } from "./conclude.ts";

const needs: Readonly<Record<FollowDo, Action>> = { merge: "commit", discard: "commit", push: "push", pr: "push" };
const flags: Readonly<Record<Action, string>> = { read: "FILES", write: "FILES", exec: "SHELL", commit: "GIT", push: "PUSH" };
const answerChars = 2000;

/** What can become of what was committed; null: nothing was, or it can't be told, which is no reason to lose the work. */
export async function prospectsOf(
  { followUps, log }: Workshop,
  { worktree, grant, order }: Bench,
  head: string | null,
): Promise<Prospects | null> {
  if (head === null) return null;
  return followUps.prospects(worktree, grant.token.act.includes("push")).catch((error: unknown) => {
    log.warn("what can become of a branch is not known", { task: order.task, epoch: order.epoch, error });
    return null;
  });
}

type Matter = Pick<Bench, "order" | "grant" | "record" | "end"> & { follow: Follow };

/** Resolves with a result whatever happens. Once more after a kill it comes to the same. */
export async function followUp(deps: Workshop, matter: Matter): Promise<Outcome> {
  const { order, follow, grant, record, end } = matter;
  const { primary } = deps.profile.personas;
  const begun = deps.clock.now();
  try {
    const refused = await whyNot(deps, matter);
    if (refused !== null) return end("failed", "refused", refused);
    if (grant.signal.aborted) return stopped(matter);
    record("started", primary, `${followWords[follow.do].label}: ${follow.branch} at ${follow.head.slice(0, 12)}, as approved`);
    const done = await perform(deps, matter, order.workspace ?? "");
    const followed = told(deps, follow, done);
    const why = whatBecame(follow, followed);
    record("finished", primary, why);
    const receipt: Receipt = {
      ...{ verdict: "verified", why, base: null, head: null, branch: null, patch: null, patchSha256: null, commands: [] },
      ...{
        diffstat: { files: 0, insertions: 0, deletions: 0, text: "" },
        testsBefore: null,
        testsAfter: null,
        testsOfBase: null,
        flags: [],
        steps: 0,
      },
      ...{ usage: noTotal, wallMs: Math.max(0, deps.clock.now() - begun), limitsHit: [], approvals: [follow.approved] },
      ...{ prospects: null, followed },
    };
    return end("succeeded", "followed_up", why, { receipt, summary: followed.answer });
  } catch (error) {
    if (hasCode(error, "interrupted") && grant.signal.aborted) return stopped(matter);
    deps.log.warn("a follow-up was not done", { task: order.task, epoch: order.epoch, error });
    return end("failed", hasCode(error, "conflict") ? "refused" : "not_done", publicMessage(error));
  }
}

function stopped({ grant, end }: Matter): Outcome {
  const reason = String(grant.signal.reason);
  return reason === releasing ? end("released", "released", reason) : end("cancelled", "cancelled", reason);
}

/** Why it must not be done here, by the capabilities and by what was approved; null: it may. */
async function whyNot(deps: Workshop, { order, follow, grant }: Matter): Promise<string | null> {
  const action = needs[follow.do];
  if (!grant.token.act.includes(action)) {
    return `${deps.profile.name} may not do that: ENABLE_${flags[action]} is off there.`;
  }
  if (order.workspace === null) return "The order names no workspace.";
  if (follow.branch !== branchOf({ task: follow.of, epoch: follow.epoch })) return `${follow.branch} is not the branch of ${follow.of}.`;
  const leaves = action === "push";
  const remote = leaves ? await deps.followUps.remoteOf(order.workspace, follow.into) : null;
  const { branch, head, into, says } = follow;
  const plan = { do: follow.do, factory: deps.self, workspace: order.workspace, branch, head, into, remote, says };
  if ((await digestOf(plan)) === follow.approved) return null;
  if (leaves && remote !== follow.remote)
    return `The remote is ${remote ?? "none"} now, not ${follow.remote ?? "none"} as approved. Ask again.`;
  return "What was approved is not what the order says, so nothing was done. Ask again.";
}

function perform({ followUps, profile, self }: Workshop, { follow, grant }: Matter, workspace: string): Promise<Done> {
  switch (follow.do) {
    case "merge": {
      const author = { name: `${profile.personas.primary} (${profile.name})`, email: `primary@${self}.uac.invalid` };
      return followUps.merge(workspace, follow, author);
    }
    case "push":
      return followUps.push(workspace, follow, grant.signal);
    case "pr":
      return followUps.openPullRequest(workspace, follow, grant.signal);
    case "discard":
      return followUps.discard(workspace, follow);
  }
}

function told({ redactor }: Workshop, follow: Follow, done: Done): Followed {
  return { ...done, do: follow.do, answer: redactor.clean(done.answer).slice(0, answerChars) };
}

/** What was observed, in a sentence. */
function whatBecame({ branch, head, into, remote }: Follow, { do: deed, already, head: now, url }: Followed): string {
  const commit = head.slice(0, 12);
  switch (deed) {
    case "merge":
      return already
        ? `${into} had ${commit} already; it is at ${now?.slice(0, 12)}`
        : `${into} is at ${now?.slice(0, 12)} now and has ${commit}`;
    case "push":
      return already ? `${remote} had ${branch} at ${commit} already` : `${remote} has ${branch} at ${commit} now`;
    case "pr":
      return already ? `there is a pull request: ${url}` : `the pull request is open: ${url}`;
    case "discard":
      return already ? `${branch} was gone already` : `${branch} is gone; it was at ${commit}`;
  }
}
