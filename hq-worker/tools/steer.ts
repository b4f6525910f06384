/** The owner's words to whoever works on a task. */
import * as z from "zod";
import { longestSteer } from "#core/control.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import { steerTask } from "#factory/steer.ts";
import type { Tool } from "#ports/tool.ts";
import { noSuchTask } from "./story.ts";

const input = z.strictObject({ id: z.string().min(1).max(64), text: z.string().min(1).max(longestSteer) });

export function steerTool(hq: Headquarters): Tool<z.infer<typeof input>> {
  return {
    name: "steer",
    description: "Tell whoever works on a task something more, when the owner asks for it; it is heard between two steps.",
    input,
    needs: null,
    repeatable: true,
    run: async ({ id, text }, call) => ({ content: await steerReport(hq, { id, text, key: call.key }) }),
  };
}

/** Says it, once under each key; resolves to what to answer. */
export async function steerReport(hq: Headquarters, { id, text, key }: { id: string; text: string; key: string }): Promise<string> {
  const steered = await steerTask(hq, id, text, key);
  switch (steered.how) {
    case "passed":
      return `Passed on to ${steered.to}.`;
    case "waits":
      return `Passed on to ${steered.to}; the task is paused, so it is heard when it goes on.`;
    case "added":
      return `Nobody works on ${id} yet: I added it to what is to be done.`;
    case "no_room":
      return `That is too long for ${id}: at most ${longestSteer} characters at a time, and what is not begun has room for little more.`;
    case "nobody":
      return `${id} is done as you approved it, by rule: nobody there listens. /cancel ${id} stops it while it has not begun.`;
    case "over":
      return `${id} is over already.`;
    case "unknown":
      return noSuchTask(id);
  }
}
