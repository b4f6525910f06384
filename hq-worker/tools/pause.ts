/** A running task stands still, and goes on. */
import * as z from "zod";
import type { Headquarters } from "#factory/headquarters.ts";
import { pauseTask, resumeTask } from "#factory/pause.ts";
import type { Tool } from "#ports/tool.ts";
import { noSuchTask } from "./story.ts";

const input = z.strictObject({ id: z.string().min(1).max(64) });
const byOwner = "the owner";

export function pauseTool(hq: Headquarters): Tool<z.infer<typeof input>> {
  return {
    name: "pause",
    description: "Let a running task stand still after its step, when the owner asks for it.",
    input,
    needs: null,
    repeatable: true,
    run: async ({ id }) => ({ content: await pauseReport(hq, id) }),
  };
}

export function resumeTool(hq: Headquarters): Tool<z.infer<typeof input>> {
  return {
    name: "resume",
    description: "Let a paused task go on, when the owner asks for it.",
    input,
    needs: null,
    repeatable: true,
    run: async ({ id }) => ({ content: await resumeReport(hq, id) }),
  };
}

/** Resolves to what to answer. */
export async function pauseReport(hq: Headquarters, id: string, by = byOwner): Promise<string> {
  return {
    unknown: noSuchTask(id),
    over: `${id} is over already.`,
    idle: `Nobody works on ${id} now, so there is nothing to pause.`,
    already: `${id} is paused already.`,
    budget: standsAtBudget(id),
    told: `${id} is paused; it stops after the step that runs.`,
  }[await pauseTask(hq, id, by)];
}

/** Resolves to what to answer. */
export async function resumeReport(hq: Headquarters, id: string, by = byOwner): Promise<string> {
  return {
    unknown: noSuchTask(id),
    over: `${id} is over already.`,
    idle: `${id} is not paused.`,
    already: `${id} is not paused.`,
    budget: standsAtBudget(id),
    told: `${id} goes on.`,
  }[await resumeTask(hq, id, by)];
}

function standsAtBudget(id: string): string {
  return `${id} stands still since a budget is used up: /questions has what I asked about it, /budget lists the budgets.`;
}
