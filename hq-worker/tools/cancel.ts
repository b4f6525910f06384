/** Simone stops a task. */
import * as z from "zod";
import { cancelTask } from "#factory/cancel.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import type { Tool } from "#ports/tool.ts";

const input = z.strictObject({ id: z.string().min(1).max(64), reason: z.string().max(300).optional() });

export function cancelTool(hq: Headquarters): Tool<z.infer<typeof input>> {
  return {
    name: "cancel",
    description: "Stop a task, when the owner asks for it.",
    input,
    needs: null,
    repeatable: true,
    async run({ id, reason }) {
      const outcome = await cancelTask(hq, id, reason ?? "cancelled by the owner");
      if (outcome === "unknown") return { content: `There is no task ${id}.`, isError: true };
      return { content: { over: "It was over already.", cancelled: "Cancelled.", requested: "The factory was told to stop." }[outcome] };
    },
  };
}
