/** What the chat shows of a task: one card, edited in place; at its end an audible completion with the diff. */
import { flagsBeside, isDoubtful } from "#core/evidence.ts";
import { type FollowDo, followWords } from "#core/follow-up.ts";
import { showCost, type Total } from "#core/ledger.ts";
import { byline } from "#core/persona.ts";
import type { Receipt, Replayed } from "#core/receipt.ts";
import { bold, code, italic, type Piece, pre, rich } from "#core/rich-text.ts";
import { isTerminal, replayable, type TaskState } from "#core/task.ts";
import type { Button, Letter, ReplyTo } from "#ports/chat.ts";
import type { StoredTaskEvent, Task } from "#ports/tasks.ts";
import type { Headquarters } from "./headquarters.ts";
import { showSetupRun } from "./setup-words.ts";
import { followUpsOf } from "./what-follows.ts";
import { moment } from "./when.ts";

type Deps = Pick<Headquarters, "profile" | "settings">;

export const marks: Readonly<Record<TaskState, string>> = {
  queued: "⏳ queued",
  waiting: "⏳ waiting",
  held: "✋ held",
  dispatched: "📨 sent to the factory",
  running: "⚙️ running",
  awaiting_approval: "✋ waiting for you",
  paused: "⏸ paused",
  succeeded: "✅ done",
  failed: "❌ failed",
  cancelled: "🚫 cancelled",
  expired: "⌛ expired",
  dead: "☠️ given up",
};

/** Keys under which a task's letters are known. */
export const letterKeys = {
  card: (task: string) => `card:${task}`,
  edit: (task: string) => `card-edit:${task}`,
  done: (task: string) => `done:${task}`,
  diff: (task: string) => `diff:${task}`,
  followed: (task: string) => `followed:${task}`,
};

/** The task whose completion a letter with this key is; null for every other letter. */
export function taskOfCompletion(key: string): string | null {
  const prefix = letterKeys.done("");
  return key.startsWith(prefix) ? key.slice(prefix.length) : null;
}

/** The card as it is first sent: silent, in reply to the message that asked. */
export function cardLetter(deps: Deps, task: Task): Letter {
  return {
    key: letterKeys.card(task.id),
    chat: task.chat,
    body: {
      kind: "text",
      content: rich(...cardText(deps, task, [])),
      buttons: buttons(deps, task),
      silent: true,
      replyTo: startOf(task),
    },
  };
}

/** What a card is said in reply to: the message that asked, or the card of the work of which it is a follow-up. */
function startOf({ message, follow }: Task): ReplyTo | null {
  if (follow !== null) return { letter: letterKeys.card(follow.of) };
  return message === null ? null : { message };
}

/** The card as it is now. */
export function cardEdit(deps: Deps, task: Task, events: readonly StoredTaskEvent[]): Letter {
  return {
    key: letterKeys.edit(task.id),
    chat: task.chat,
    body: { kind: "edit", of: letterKeys.card(task.id), content: rich(...cardText(deps, task, events)), buttons: buttons(deps, task) },
  };
}

/** The audible message at the end, and the diff as a document. */
export function completionLetters(deps: Deps, task: Task, cost: Total): Letter[] {
  const replyTo = { letter: letterKeys.card(task.id) };
  const done: Letter = {
    key: letterKeys.done(task.id),
    chat: task.chat,
    body: {
      kind: "text",
      content: rich(...completionText(deps, task, cost)),
      buttons: completionButtons(deps, task, []),
      silent: false,
      replyTo,
    },
  };
  const { receipt } = task;
  if (!receipt?.patch) return [done];
  const { files, insertions, deletions } = receipt.diffstat;
  const diff: Letter = {
    key: letterKeys.diff(task.id),
    chat: task.chat,
    body: {
      kind: "document",
      filename: `${task.id}.diff`,
      data: receipt.patch,
      caption: `${files} ${files === 1 ? "file" : "files"}, +${insertions} −${deletions}, on branch ${receipt.branch ?? "–"}`,
      silent: true,
      replyTo,
    },
  };
  return [done, diff];
}

/** The completion of a task once more, with what became of its branch since; what was done is offered no more. */
export function followedEdit(deps: Deps, task: Task, cost: Total, followUps: readonly Task[]): Letter {
  const lines = followUps.map((one): Piece => `\n➜ ${one.receipt?.why ?? one.reason} (${one.id})`);
  const content = rich(...completionText(deps, task, cost), ...lines);
  const done = followUps.flatMap(({ follow }) => (follow ? [follow.do] : []));
  const body = { kind: "edit" as const, of: letterKeys.done(task.id), content, buttons: completionButtons(deps, task, done) };
  return { key: letterKeys.followed(task.id), chat: task.chat, body };
}

function cardText(deps: Deps, task: Task, events: readonly StoredTaskEvent[]): Piece[] {
  const lines: Piece[] = [bold(task.title), "\n", marks[task.state]];
  if (task.factory && (task.persona !== null || !isTerminal(task.state))) lines.push(" · ", byline(task.persona ?? "…", task.factory));
  if (task.cancelRequested !== null && !isTerminal(task.state)) lines.push(" · stopping");
  if (task.epoch > 1) lines.push(` · attempt ${task.epoch}`);
  if (task.reason && task.state !== "running") lines.push("\n", task.reason);
  const doubts = isTerminal(task.state) ? (task.receipt?.flags.filter(isDoubtful) ?? []) : [];
  if (doubts.length > 0)
    lines.push(
      `\n⚠️ ${doubts
        .map(({ text }) => text)
        .join("; ")
        .slice(0, 300)}`,
    );
  const wishes = isTerminal(task.state) ? "" : wishesOf(task);
  if (wishes !== "") lines.push("\n", wishes);
  const steps = events.filter((event) => event.kind === "step" && event.epoch === task.epoch);
  const last = steps.at(-1);
  if (last && !isTerminal(task.state)) lines.push(`\nstep ${steps.length}: `, code(last.text.slice(0, 120)));
  lines.push("\n", italic(`${byline(deps.profile.personas.primary, deps.profile.name)} · ${task.id}`));
  return lines;
}

/** When the owner wants it, as far as that is out of the ordinary: `urgent · not before … · expires unless begun by …`. */
export function wishesOf({
  priority,
  notBefore,
  deadline,
  replayOf,
  withEdits = false,
}: Pick<Task, "priority" | "notBefore" | "deadline" | "replayOf" | "withEdits">): string {
  return [
    ...(priority > 0 ? ["urgent"] : priority < 0 ? ["can wait"] : []),
    ...(notBefore === null ? [] : [`not before ${moment(notBefore)}`]),
    ...(deadline === null ? [] : [`expires unless begun by ${moment(deadline)}`]),
    ...(withEdits ? ["with your uncommitted changes"] : []),
    ...(replayOf === null ? [] : [`${replayOf} again`]),
  ].join(" · ");
}

function completionText(deps: Deps, task: Task, cost: Total): Piece[] {
  // Where nobody took it in, headquarters ended it.
  const who = task.persona
    ? byline(task.persona, task.factory ?? deps.profile.name)
    : byline(deps.profile.personas.primary, deps.profile.name);
  const lines: Piece[] = [bold(`${marks[task.state]}: ${task.title}`), "\n"];
  if (task.summary) lines.push(task.summary.slice(0, 1500), "\n");
  if (task.state !== "succeeded") lines.push(italic(task.reason), "\n");
  if (task.receipt?.followed) lines.push("\n", task.receipt.why, "\n");
  else if (task.receipt) lines.push("\n", ...receiptText(task.receipt));
  lines.push("\n", italic(`${who} · ${seconds(task)} · ${showCost(cost)}`));
  return lines;
}

/** What is to be known of the tests, beside the verdict: a line each. */
export function flagLines(receipt: Receipt): string[] {
  return flagsBeside(receipt).map((flag) => `${isDoubtful(flag) ? "⚠️" : "ℹ️"} ${flag.text}`);
}

function receiptText(receipt: Receipt): Piece[] {
  const lines: Piece[] = [bold(receipt.verdict), `: ${receipt.why}\n`, ...flagLines(receipt).map((line) => `${line}\n`)];
  if (receipt.replayed && receipt.replayed.files + receipt.replayed.left.length > 0)
    lines.push(`on top of ${ownChanges(receipt.replayed)}\n`);
  if (receipt.setup && receipt.setup.exitCode !== 0) lines.push(`not set up: ${showSetupRun(receipt.setup).slice(0, 300)}\n`);
  if (receipt.diffstat.files > 0) lines.push(pre(receipt.diffstat.text.trimEnd().slice(0, 1500)), "\n");
  if (receipt.head) lines.push("commit ", code(receipt.head.slice(0, 12)), " on ", code(receipt.branch ?? ""), "\n");
  if (receipt.limitsHit.length > 0) lines.push(`stopped by: ${receipt.limitsHit.join(", ")}\n`);
  return lines;
}

/** What the work started with beside the last commit, and what of it was left out. */
function ownChanges({ files, left }: Replayed): string {
  const without = left.length > 0 ? `; left out: ${left.slice(0, 5).join(", ")}${left.length > 5 ? ", …" : ""}` : "";
  return `${files === 1 ? "your uncommitted change" : `your ${files} uncommitted changes`}${without}`;
}

function seconds(task: Task) {
  const ms = (task.endedAt ?? task.updatedAt) - task.createdAt;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

function buttons(deps: Deps, task: Task): Button[][] {
  const open = openButton(deps, task);
  if (isTerminal(task.state)) return [[{ label: "Log", tap: `log:${task.id}` }, open]];
  const always = [{ label: "Stop", tap: `stop:${task.id}` }, { label: "Log", tap: `log:${task.id}` }, open];
  if (task.state === "running") return [[{ label: "Pause", tap: `pause:${task.id}` }, ...always]];
  if (task.state === "paused") return [[{ label: "Resume", tap: `resume:${task.id}` }, ...always]];
  return [always];
}

/** A task that ended badly may be done again; a branch that it left may become something. `done`: what it has become already. */
function completionButtons(deps: Deps, task: Task, done: readonly FollowDo[]): Button[][] {
  const again = { label: "Try again", tap: task.follow ? followTap(task.follow.do, task.follow.of) : `replay:${task.id}` };
  const next = done.includes("discard") ? [] : followUpsOf(task).filter((one) => !done.includes(one));
  const follows = next.map((one): Button => ({ label: followWords[one].label, tap: followTap(one, task.id) }));
  return [follows, [...(replayable.includes(task.state) ? [again] : []), openButton(deps, task)]].filter((row) => row.length > 0);
}

/** What a button sends that has the owner asked about a follow-up. */
const followTap = (deed: FollowDo, task: string) => `follow:${deed}:${task}`;

function openButton(deps: Deps, task: Task): Button {
  return { label: "Open", url: `${deps.settings.publicUrl}/tasks/${task.id}` };
}
