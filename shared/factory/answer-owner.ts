/** The owner's answer: taken once, then carried out, then told. Whatever dies between these steps, the tick goes on from there. */
import { UacError } from "#core/errors.ts";
import { type AnswerWay, isMoot, type Question } from "#core/question.ts";
import { bold } from "#core/rich-text.ts";
import { effects } from "./answers.ts";
import { closeMoot, closeQuestion, decisionOf, endOf } from "./ask-owner.ts";
import type { Headquarters } from "./headquarters.ts";

export interface AnswerRequest {
  id: string;
  /** The option's key. */
  option: string;
  /** Who answers, for people. */
  by: string;
  via: Exclude<AnswerWay, "expiry" | "event">;
}

/** `answered`: the owner's answer is this one. `late`: it was answered, had expired or had settled itself before; nothing was changed. `text` says what happened. */
export interface AnswerOutcome {
  outcome: "answered" | "late" | "unknown" | "no_option";
  text: string;
}

/** Questions that one sweep settles; the next goes on. */
const perSweep = 10;
/** Calls that settling one question takes at most. */
const callsEach = 20;

/** However often and from wherever it is called: one answer counts, and what it means is done once. */
export async function answerQuestion(deps: Headquarters, { id, option, by, via }: AnswerRequest): Promise<AnswerOutcome> {
  const { won, question } = await deps.store.questions.answer(id, { option, by, via }, deps.clock.now());
  if (!question) return { outcome: "unknown", text: `There is no question ${id.slice(0, 20)}.` };
  if (won) return { outcome: "answered", text: await carryOut(deps, question) };
  if (!question.answer && !question.options.some((one) => one.key === option)) {
    return { outcome: "no_option", text: `${id} has no such answer. There are: ${question.options.map((one) => one.key).join(", ")}.` };
  }
  await settle(deps, question);
  const settled = await deps.store.questions.get(id);
  const decision = settled && decisionOf(settled, deps.clock.now());
  if (!decision) throw new UacError("conflict", `Question ${id} changes too fast to be answered; try again`);
  // The same answer again is no other: a turn that is run twice gives it twice.
  const same = settled?.answer?.option === option && settled.answer.by === by && settled.answer.via === via;
  return {
    outcome: same ? "answered" : "late",
    text: `${settled?.answer?.via === "event" ? "Nothing to decide any more" : "Already answered"}: ${decision}`,
  };
}

/** What nobody came back to: answers that were not carried out, defaults that count now, questions that settled themselves. */
export async function settleQuestions(deps: Headquarters): Promise<void> {
  for (const question of await deps.store.questions.due(deps.clock.now(), perSweep)) {
    if (deps.callsLeft() < callsEach) return;
    await settle(deps, question).catch((error: unknown) =>
      deps.log.error("a question could not be settled", { question: question.id, error }),
    );
  }
}

/** Goes on with a question from wherever it stands. */
async function settle(deps: Headquarters, question: Question): Promise<void> {
  const { store, clock } = deps;
  if (question.answer) {
    if (!question.answer.applied) await carryOut(deps, question);
    return;
  }
  const task = question.task === null ? null : await store.tasks.get(question.task);
  if (task && isMoot(question, task)) return closeMoot(deps, task);
  if (question.task !== null && !task) return closeQuestion(deps, question, "its task is not there any more");
  if (!(await store.questions.current(question.id))) return closeQuestion(deps, question, "it was asked about anew");
  const expired = await store.questions.expire(question.id, clock.now());
  if (expired.won && expired.question) await carryOut(deps, expired.question);
}

/** Does what the answer means, and says so in the question's message. Resolves to what came of it. */
async function carryOut(deps: Headquarters, question: Question): Promise<string> {
  const { store, clock } = deps;
  const done = await effects[question.kind](deps, question);
  const decision = decisionOf(question, clock.now()) ?? "";
  const letter = endOf(deps, question, [bold(decision), `\n${done}`]);
  await store.questions.applied(question.id, { letter, line: decision }, clock.now());
  return done;
}
