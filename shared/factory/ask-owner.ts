/**
 * Asks the owner: one durable question, told in the chat with its buttons, answered once from wherever. How an answer is taken
 * and carried out stands in answer-owner.ts; how to add a kind of question, in docs/asking.md.
 */
import { UacError } from "#core/errors.ts";
import { byline } from "#core/persona.ts";
import { isMoot, labelOf, type NewQuestion, type Question, questionKinds, tapOf } from "#core/question.ts";
import { bold, italic, type Piece, rich } from "#core/rich-text.ts";
import { isTerminal } from "#core/task.ts";
import type { Button, Letter } from "#ports/chat.ts";
import type { Task } from "#ports/tasks.ts";
import type { Headquarters } from "./headquarters.ts";

type Deps = Pick<Headquarters, "store" | "clock" | "profile" | "settings">;

/** What is asked: `what` is the question itself, and `line` says it in the story of its task. */
export interface Asking extends Omit<NewQuestion, "id" | "content"> {
  what: readonly Piece[];
  line: string;
}

const perRow = 2;
/** A task has one open question of a kind; more were left behind by a crash, and end with it. */
const openOfTask = 10;

/** Stores the question and what tells of it, audibly. The same key again is the same question. Throws `bad_input` for one that can't be answered. */
export async function askOwner(deps: Deps, { what, line, ...asking }: Asking): Promise<Question> {
  const { store, clock, profile } = deps;
  const { options, otherwise, expiresAt, task } = asking;
  if (expiresAt !== null && labelOf(asking, otherwise) === null) {
    throw new UacError("bad_input", "A question that expires needs one of its options as the default");
  }
  const id = `q${await store.next("question")}`;
  const content = rich(...what, "\n", italic(byline(profile.personas.primary, profile.name)));
  const taps = options.map(({ key, label }): Button => ({ label, tap: tapOf(id, key) }));
  const rows = Array.from({ length: Math.ceil(taps.length / perRow) }, (_, i) => taps.slice(i * perRow, (i + 1) * perRow));
  if (task !== null) rows.push([{ label: "Open", url: `${deps.settings.publicUrl}/tasks/${task}` }]);
  const letter: Letter = {
    key: letterKey(id),
    chat: asking.chat,
    body: { kind: "text", content, buttons: rows, silent: false, replyTo: null },
  };
  return store.questions.ask({ ...asking, id, content }, { letter, line }, clock.now());
}

/** The task went on without an answer (a factory took it, it was cancelled, its time ran out): nobody need answer any more. */
export async function closeMoot(deps: Deps, task: Task): Promise<void> {
  for (const question of await deps.store.questions.open({ task: task.id, limit: openOfTask })) {
    if (isMoot(question, task)) await closeQuestion(deps, question, whatBecameOf(task));
  }
}

/** Ends a question that settled itself, by what happened. */
export async function closeQuestion(deps: Deps, question: Question, what: string): Promise<void> {
  const { store, clock } = deps;
  await store.questions.close(question.id, what, endOf(deps, question, [bold("Nothing to decide any more"), `: ${what}`]), clock.now());
}

/** The message of a question as it is in the end: no buttons, and what became of it. Silent, as every edit is. */
export function endOf({ profile }: Pick<Deps, "profile">, question: Question, end: readonly Piece[]): Letter {
  const [asked = ""] = question.content.text.split("\n");
  const content = rich(asked, "\n", ...end, "\n", italic(byline(profile.personas.primary, profile.name)));
  return {
    key: `${letterKey(question.id)}:end`,
    chat: question.chat,
    body: { kind: "edit", of: letterKey(question.id), content, buttons: [] },
  };
}

/** How a question ended: `Wait, by Ann from the dashboard at 12:03 UTC`. Null while it is open. */
export function decisionOf(question: Question, now: number): string | null {
  const { answer } = question;
  if (!answer) return null;
  if (answer.via === "event") return `settled by itself: ${answer.by}`;
  const label = labelOf(question, answer.option) ?? answer.option;
  if (answer.via === "expiry") return `nobody answered in time, so: ${label}`;
  const from = { telegram: "in the chat", dashboard: "from the dashboard", command: "from the command line" }[answer.via];
  return `${label}, by ${answer.by} ${from} ${timeOf(answer.at, now)}`;
}

/** `at 12:03 UTC`, with the day unless that is today's. */
export function timeOf(at: number, now: number): string {
  const [day, time] = new Date(at).toISOString().slice(0, 16).split("T");
  const today = new Date(now).toISOString().slice(0, 10);
  return day === today ? `at ${time} UTC` : `on ${day} at ${time} UTC`;
}

/** May a model pass the owner's answer on? */
export function mayPassOn(question: Question): boolean {
  return !questionKinds[question.kind].byHand;
}

function letterKey(id: string) {
  return `ask:${id}`;
}

function whatBecameOf(task: Task): string {
  if (isTerminal(task.state)) return `it is ${task.state}: ${task.reason}`;
  if (task.state === "dispatched" || task.state === "running") return `${task.factory} has it now`;
  return task.state === "queued" ? `it is in the queue again: ${task.reason}` : `it is ${task.state} now`;
}
