/** What the owner is asked, as a person or a model reads it. */
import * as z from "zod";
import type { Question } from "#core/question.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import type { Inbound } from "#ports/chat.ts";
import type { Tool } from "#ports/tool.ts";

const input = z.strictObject({});
const listed = 10;

export function questionsTool(hq: Headquarters, { chat }: Pick<Inbound, "chat">): Tool<z.infer<typeof input>> {
  return {
    name: "questions",
    description: "What the owner is asked and has not answered yet, with the options.",
    input,
    needs: null,
    repeatable: true,
    run: async () => ({ content: await questionsReport(hq, chat) }),
  };
}

/** The oldest open questions of a chat, each with what to type. */
export async function questionsReport(hq: Headquarters, chat: number): Promise<string> {
  const open = await hq.store.questions.open({ chat, limit: listed });
  if (open.length === 0) return "Nothing waits for your answer.";
  return open.map(describe).join("\n\n");
}

function describe({ id, content, options }: Question): string {
  const [asked = ""] = content.text.split("\n");
  return [`${id}: ${asked}`, ...options.map(({ key, label }) => `/answer ${id} ${key} – ${label}`)].join("\n");
}
