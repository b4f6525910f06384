/** What the owner is asked, in the state of record: from the asking until the answer is carried out. */
import type { Answer, NewQuestion, Question } from "#core/question.ts";
import type { HoldCode } from "#core/routing.ts";
import type { Letter } from "./chat.ts";

/** How something is told: in the chat, and in the story of the task that it is about. */
export interface Told {
  letter: Letter;
  line: string;
}

export interface Questions {
  /**
   * Stores the question together with what tells of it, in one batch. A question whose key is known is the one that
   * is there already: then nothing is stored. Rejects with `conflict` if the id is taken by another.
   */
  ask(question: NewQuestion, told: Told, now: number): Promise<Question>;
  get(id: string): Promise<Question | null>;
  byKey(key: string): Promise<Question | null>;
  /** Those that wait for an answer, oldest first. */
  open(filter: { chat?: number; task?: string; limit: number }): Promise<Question[]>;
  /**
   * One compare-and-set: it has no answer, its time is not over by HQ's clock, the option is one of its own, its task
   * still stands where it was asked, and was not asked about anew. Resolves to whether this call won, and to the question as it is then (null: there is none).
   */
  answer(
    id: string,
    given: Pick<Answer, "by" | "via"> & { option: string },
    now: number,
  ): Promise<{ won: boolean; question: Question | null }>;
  /** The default counts: for a question whose time is over. */
  expire(id: string, now: number): Promise<{ won: boolean; question: Question | null }>;
  /** It settled itself, by `what` happened. One batch with the letter that says so; nothing is left to carry out. */
  close(id: string, what: string, letter: Letter, now: number): Promise<boolean>;
  /** The answer was carried out. One batch with what tells of it. False if it was told already. */
  applied(id: string, told: Told, now: number): Promise<boolean>;
  /** Whether it is the last of its kind that was asked about its task: an answer to an earlier one decides nothing any more. */
  current(id: string): Promise<boolean>;
  /** What nobody came back to: answered and not carried out, open and over its time, open though its task has gone on or was asked about anew. */
  due(now: number, limit: number): Promise<Question[]>;
  /**
   * Held tasks whose owner was not asked what shall become of them, oldest first, each with the key of that question: a task that
   * is held again is asked about again, once the answer before is carried out. In a chat where `mostOpen` such questions are open, none.
   */
  unasked(filter: UnaskedFilter): Promise<{ task: string; key: string }[]>;
}

export interface UnaskedFilter {
  /** Only holds for such a reason. */
  codes: readonly HoldCode[];
  /** Held since before then, milliseconds. */
  heldBefore: number;
  /** This task alone. */
  task?: string;
  mostOpen: number;
  limit: number;
}
