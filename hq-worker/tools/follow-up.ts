/** Simone has the owner asked what shall become of a finished branch. She decides nothing: the owner answers by hand. */
import * as z from "zod";
import { type FollowDo, followDos } from "#core/follow-up.ts";
import { askFollowUp } from "#factory/ask-follow-up.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import type { Tool } from "#ports/tool.ts";

const input = z.strictObject({
  id: z.string().min(1).max(64).describe("the task whose branch it is"),
  do: z.enum(followDos).describe("pr: open a pull request"),
});

export function followUpTool(hq: Headquarters): Tool<z.infer<typeof input>> {
  return {
    name: "follow_up",
    description:
      "Merge, push, propose or discard the branch of a finished task, when the owner asks for it. The owner is asked to confirm it by hand.",
    input,
    needs: null,
    repeatable: true,
    async run(wish, call) {
      const { text, question } = await askFollowUp(hq, { do: wish.do, task: wish.id, key: call.key });
      return question
        ? { content: `The owner was asked with buttons, question ${question.id}. Nothing is done until the answer.` }
        : { content: text, isError: true };
    },
  };
}

/** Has the owner asked; resolves to what to answer. `key` names the wish. */
export async function followUpReport(hq: Headquarters, wish: { do: string; task: string; key: string }): Promise<string> {
  const deed = followDos.find((one) => one === wish.do);
  return deed ? (await askFollowUp(hq, { ...wish, do: deed })).text : "This button is not known any more.";
}

/** `/merge <id>` and the like. */
export const followAbout: Readonly<Record<FollowDo, string>> = {
  merge: "merge a finished branch, once you confirm it: /merge <id>",
  push: "push it to its remote, once you confirm it: /push <id>",
  pr: "open a pull request for it, once you confirm it: /pr <id>",
  discard: "delete it, once you confirm it: /discard <id>",
};
