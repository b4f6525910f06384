/** Who carries out what the owner decided, by the kind of question. */
import type { Question, QuestionKind } from "#core/question.ts";
import { decideFollowUp } from "./ask-follow-up.ts";
import type { Headquarters } from "./headquarters.ts";
import { decideHold } from "./hold.ts";
import { decideBudget } from "./over-budget.ts";
import { decideSetup } from "./setup-approval.ts";

/**
 * Does what the answer means; the same answer again does nothing more, since a crash can come between the deed and the note of
 * it. Resolves to what came of it, a sentence for the owner.
 */
export type Effect = (deps: Headquarters, question: Question) => Promise<string>;

export const effects: Readonly<Record<QuestionKind, Effect>> = {
  hold: decideHold,
  budget: decideBudget,
  follow: decideFollowUp,
  setup: decideSetup,
};
