/** Tasks, as a person or a model reads them. */
import * as z from "zod";
import type { Headquarters } from "#factory/headquarters.ts";
import type { Tool } from "#ports/tool.ts";
import { storyOf } from "./story.ts";

const input = z.strictObject({ id: z.string().max(64).optional().describe("leave out for the last tasks") });
const listed = 10;

export function taskTool(hq: Headquarters): Tool<z.infer<typeof input>> {
  return {
    name: "task",
    description: "The last tasks and their states, or one task's story.",
    input,
    needs: null,
    repeatable: true,
    run: async ({ id }) => ({ content: id ? await storyOf(hq, id) : await taskReport(hq) }),
  };
}

export async function taskReport(hq: Headquarters): Promise<string> {
  const tasks = await hq.store.tasks.list({ limit: listed });
  if (tasks.length === 0) return "There are no tasks yet.";
  return tasks.map((task) => `${task.id}: ${task.state}${task.factory ? ` at ${task.factory}` : ""} – ${task.title}`).join("\n");
}
