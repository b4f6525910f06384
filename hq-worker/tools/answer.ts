/** Simone passes the owner's answer on, given in words. The verb decides whether it counts; some kinds are answered by hand alone. */
import * as z from "zod";
import { answerQuestion } from "#factory/answer-owner.ts";
import { mayPassOn } from "#factory/ask-owner.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import type { Inbound } from "#ports/chat.ts";
import type { Tool } from "#ports/tool.ts";

const input = z.strictObject({
  id: z.string().max(20).describe("the question's id, from `questions`"),
  option: z.string().max(64).describe("the key of one of its options"),
});

export function answerTool(hq: Headquarters, { chat, name }: Pick<Inbound, "chat" | "name">): Tool<z.infer<typeof input>> {
  return {
    name: "answer",
    description:
      "Pass the owner's answer to an open question on. Only what the owner has just decided in words; never decide for the owner.",
    input,
    needs: null,
    repeatable: true,
    async run({ id, option }) {
      const question = await hq.store.questions.get(id);
      if (question?.chat !== chat) return { content: `This chat was not asked ${id}. See the tool questions.`, isError: true };
      if (!mayPassOn(question)) return { content: `The owner answers ${id} by hand: by its buttons, or /answer.`, isError: true };
      const by = `${name} through ${hq.profile.personas.primary}`;
      const { outcome, text } = await answerQuestion(hq, { id, option, by, via: "telegram" });
      return { content: text, isError: outcome !== "answered" };
    },
  };
}
