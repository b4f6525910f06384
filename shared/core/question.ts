/** A question to the owner: durable, with options, an expiry and a default, answered once. Pure. */
import * as z from "zod";
import type { RichText } from "./rich-text.ts";
import type { TaskProgress, TaskState } from "./task.ts";

/** Where an answer came from. `expiry`: nobody answered in time; `event`: what was asked about settled itself. */
export const answerWays = ["telegram", "dashboard", "command", "expiry", "event"] as const;
export type AnswerWay = (typeof answerWays)[number];

interface KindRow {
  /** The states of its task in which it can be answered. Once the task has left them, the matter has settled itself. */
  during: readonly TaskState[];
  /** True: a person answers it by hand; a model may not pass an answer on. */
  byHand: boolean;
}

/** What is asked. Who carries an answer out stands in shared/factory/answers.ts. */
export const questionKinds = {
  /** No factory can take a task: shall it wait, go elsewhere, or end? */
  hold: { during: ["held"], byHand: false },
  /** A budget holds no further call of a model for a task: shall it be raised, or the task end, with or without what is there? */
  budget: { during: ["paused"], byHand: true },
  /** Shall the branch that a task left be merged, pushed, proposed or discarded? */
  follow: { during: ["succeeded", "failed", "cancelled", "dead"], byHand: true },
  /** Nobody has approved the command that makes a worktree of a workspace ready: shall it run? */
  setup: { during: ["awaiting_approval"], byHand: true },
} as const satisfies Readonly<Record<string, KindRow>>;
export type QuestionKind = keyof typeof questionKinds;

/** Short enough to type, and for a button: `ask:<id>:<option>` is at most 64 bytes. */
export const questionIdPattern = /^q[1-9][0-9]{0,9}$/;

export const optionsSchema = z
  .array(
    z.strictObject({
      key: z.string().regex(/^[a-z0-9][a-z0-9-]{0,47}$/),
      label: z.string().min(1).max(64),
    }),
  )
  .min(1)
  .max(10);
export type Option = z.infer<typeof optionsSchema>[number];

export interface NewQuestion {
  id: string;
  /** Idempotency key: the same key twice is one question. */
  key: string;
  kind: QuestionKind;
  /** The task that it is about, and the attempt; null where it is about none. */
  task: string | null;
  epoch: number | null;
  chat: number;
  content: RichText;
  options: readonly Option[];
  /** The key of the option that counts when nobody answers in time; null where nothing expires. */
  otherwise: string | null;
  /** HQ's clock, milliseconds; null: it stays open until somebody answers. */
  expiresAt: number | null;
}

export interface Answer {
  /** Null where the matter settled itself. */
  option: string | null;
  at: number;
  /** Who answered, for people. For `event`: what happened; for `expiry`: empty. */
  by: string;
  via: AnswerWay;
  /** Whether what it means was carried out. */
  applied: boolean;
}

export interface Question extends NewQuestion {
  createdAt: number;
  answer: Answer | null;
}

/** What a button sends back when it is tapped. */
export function tapOf(id: string, option: string): string {
  return `ask:${id}:${option}`;
}

/** What an option is called; null where a question has none of that key. */
export function labelOf(question: Pick<Question, "options">, key: string | null): string | null {
  return question.options.find((option) => option.key === key)?.label ?? null;
}

/** True once nothing is left to decide: its task has gone on without an answer. */
export function isMoot(question: Pick<Question, "kind" | "epoch">, task: Pick<TaskProgress, "state" | "epoch">): boolean {
  const during: readonly TaskState[] = questionKinds[question.kind].during;
  return task.epoch !== question.epoch || !during.includes(task.state);
}
