/**
 * What shall become of a finished branch. Whoever wishes it (a button, a command, Simone, a page) only has the owner asked; the answer,
 * bound to exactly what was shown, makes a task of it.
 */
import { type Follow, type FollowDo, followWords, type Plan } from "#core/follow-up.ts";
import type { Question } from "#core/question.ts";
import { bold, code, type Piece, pre } from "#core/rich-text.ts";
import { isTerminal } from "#core/task.ts";
import type { Task } from "#ports/tasks.ts";
import { digestOf } from "./approval.ts";
import { askOwner } from "./ask-owner.ts";
import { delegate } from "./delegate.ts";
import type { Headquarters } from "./headquarters.ts";
import { followUpsOf } from "./what-follows.ts";

/** An approval that nobody gave by then is none. */
const approvalMs = 10 * 60_000;
const openOfTask = 10;
const statChars = 1200;
const titleChars = 120;
const bodyChars = 5500;

/** `text` is for whoever wished it. */
export interface Asked {
  text: string;
  question: Question | null;
}

/** Has the owner asked. `key` names the wish: the same one again is the same question, and so is another while it is open. */
export async function askFollowUp(deps: Headquarters, wish: { do: FollowDo; task: string; key: string }): Promise<Asked> {
  const { store, clock } = deps;
  const task = await store.tasks.get(wish.task);
  if (!task) return { text: `There is no task ${wish.task.slice(0, 64)}. /tasks lists them.`, question: null };
  const plan = planOf(deps, task, wish.do);
  if (plan === null) return { text: whyNot(task, wish.do), question: null };

  const digest = await digestOf(plan);
  const sought = (question: Question) => question.kind === "follow" && readKey(question.key)?.digest === digest;
  const open = (await store.questions.open({ task: task.id, limit: openOfTask })).find(
    (question) => sought(question) && (question.expiresAt ?? 0) > clock.now(),
  );
  const question = open ?? (await ask(deps, task, plan, keyOf(task, wish, digest)));
  return { text: `I asked you to confirm it: ${question.id}.`, question };
}

function ask(deps: Headquarters, task: Task, plan: Plan, key: string): Promise<Question> {
  const { verb } = followWords[plan.do];
  return askOwner(deps, {
    key,
    kind: "follow",
    task: task.id,
    epoch: task.epoch,
    chat: task.chat,
    what: [bold(`${verb} ${task.id}${plan.do === "merge" ? ` into ${plan.into}` : ""}?`), ` – ${task.title}\n`, ...shown(task, plan)],
    line: `the owner was asked: ${verb.toLowerCase()} ${plan.branch}`,
    options: [
      { key: "yes", label: `Yes, ${followWords[plan.do].label.toLowerCase().replace("pr", "PR")}` },
      { key: "no", label: "No" },
    ],
    otherwise: "no",
    expiresAt: deps.clock.now() + approvalMs,
  });
}

/** All that the answer is bound to, and what will run. */
function shown(task: Task, plan: Plan): Piece[] {
  const { do: deed, workspace, factory, branch, head, into, remote, says } = plan;
  const lines: Piece[] = ["repository ", code(workspace), " at ", code(factory), "\nbranch ", code(branch), "\ncommit ", code(head)];
  if (into !== null && deed !== "push") lines.push("\ninto ", code(into));
  if (remote !== null) lines.push("\nremote ", code(remote));
  if (says !== null) lines.push("\ntitle ", code(says.title), "\ntext: what its receipt says");
  const runs = {
    merge: `what git merges without a conflict goes onto ${into}; a checkout that is on it moves along if nothing is in hand there`,
    push: `git push ${remote} ${head}:refs/heads/${branch}`,
    pr: `git push ${remote} ${head}:refs/heads/${branch}\ngh pr create --head=${branch} --base=${into}`,
    discard: `git update-ref -d refs/heads/${branch} ${head}`,
  }[deed];
  lines.push("\n", pre(runs), "\n");
  if (task.receipt) lines.push(bold(task.receipt.verdict), `: ${task.receipt.why}\n`);
  const stat = task.receipt?.diffstat.text.trimEnd() ?? "";
  if (stat !== "") lines.push(pre(stat.length > statChars ? `…${stat.slice(-statChars)}` : stat), "\n");
  lines.push("If you say nothing for 10 minutes, nothing is done.");
  return lines;
}

/** What would be done now; null where that can't be. Of a task that is over, so it stays the same. */
function planOf({ redactor }: Pick<Headquarters, "redactor">, task: Task, deed: FollowDo): Plan | null {
  const { receipt, workspace, factory } = task;
  if (!followUpsOf(task).includes(deed) || !receipt?.branch || !receipt.head || !receipt.prospects) return null;
  if (workspace === null || factory === null) return null;
  const leaves = deed === "push" || deed === "pr";
  return {
    ...{ do: deed, factory, workspace, branch: receipt.branch, head: receipt.head },
    // The branch that it is pushed beside says which remote that is.
    into: deed === "discard" ? null : receipt.prospects.into,
    remote: leaves ? receipt.prospects.remote : null,
    says: deed === "pr" ? { title: redactor.clean(oneLine(task.title)), body: redactor.clean(bodyOf(task)).slice(0, bodyChars) } : null,
  };
}

function oneLine(text: string): string {
  return (
    text
      .replaceAll(/[\p{Cc}\s]+/gu, " ")
      .trim()
      .slice(0, titleChars) || "A finished task"
  );
}

function bodyOf({ id, epoch, summary, persona, factory, receipt }: Task): string {
  const tests = receipt?.testsAfter && `\`${receipt.testsAfter.command}\` ended with ${receipt.testsAfter.exitCode ?? "no exit code"}.`;
  return [
    summary.slice(0, 3000),
    `**${receipt?.verdict}**: ${receipt?.why}. ${tests ?? ""}`.trim(),
    `\`\`\`\n${receipt?.diffstat.text.trimEnd().slice(0, statChars)}\n\`\`\``,
    `Task ${id}, attempt ${epoch}, by ${persona} @ ${factory}.`,
  ].join("\n\n");
}

function whyNot(task: Task, deed: FollowDo): string {
  const { verb } = followWords[deed];
  if (task.follow !== null) return `${task.id} is a follow-up itself: ${task.follow.of} is whose branch it is.`;
  if (!isTerminal(task.state)) return `${task.id} is ${task.state}: it is not over yet.`;
  if (!task.receipt?.branch) return `${task.id} left no branch, so there is nothing to ${verb.toLowerCase()}.`;
  if (task.state !== "succeeded" && deed !== "discard") return `${task.id} is ${task.state}: its branch can only be discarded.`;
  const can = followUpsOf(task).map((one) => `/${one}`);
  return `That can't be done with ${task.id} at ${task.factory}; what can: ${can.join(", ") || "nothing"}. Pushing needs ENABLE_PUSH and a remote there, a pull request gh too.`;
}

const keyOf = (task: Task, { do: deed, key }: { do: FollowDo; key: string }, digest: string) =>
  `follow:${task.id}:${deed}:${key}:${digest}`;

/** What the key of a question says of the wish. */
function readKey(key: string): { do: FollowDo; digest: string } | null {
  const [, deed, digest] = /^follow:[^:]+:(merge|push|pr|discard):[^:]+:([0-9a-f]{64})$/.exec(key) ?? [];
  return deed && digest ? { do: deed as FollowDo, digest } : null;
}

/** Carries the owner's decision out: one task, however often it is called. */
export async function decideFollowUp(deps: Headquarters, question: Question): Promise<string> {
  const { answer } = question;
  if (answer?.option !== "yes") return "Nothing was done.";
  const asked = readKey(question.key);
  const of = question.task === null ? null : await deps.store.tasks.get(question.task);
  if (!of || !asked) return "The task is not there any more; nothing was done.";
  const plan = planOf(deps, of, asked.do);
  if (plan === null || (await digestOf(plan)) !== asked.digest)
    return "It would not be what you were shown any more, so nothing was done. Ask again.";

  const { verb } = followWords[plan.do];
  const { branch, head, into, remote, says } = plan;
  const follow: Follow = { do: plan.do, of: of.id, epoch: of.epoch, branch, head, into, remote, says, approved: asked.digest };
  const { task } = await delegate(
    deps,
    {
      ...{ id: `${question.id}-${plan.do}`, chat: of.chat, message: null, follow, kind: null, workspace: plan.workspace },
      title: `${verb} ${of.id}: ${of.title}`.slice(0, 200),
      instruction: `${verb} ${branch} at ${head}${into === null ? "" : `, into ${into}`}${remote === null ? "" : `, remote ${remote}`}.`,
      factory: plan.factory,
      ...{ priority: 1, notBefore: null, deadline: null, replayOf: null, after: [] },
      ...{ limits: of.limits, requireVerified: false, receivedAt: answer.at },
    },
    `${answer.by} approved it (${question.id}, ${asked.digest.slice(0, 12)})`,
  );
  return `It is a task of its own, ${task.id}, which is ${task.state}${task.factory === null ? `: ${task.reason}` : ` at ${task.factory}`}.`;
}
