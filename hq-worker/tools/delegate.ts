/** Simone hands work to a VP. One call, one task, however often the turn is run. */
import * as z from "zod";
import { vpSeats } from "#core/vp.ts";
import { delegate } from "#factory/delegate.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import type { Inbound } from "#ports/chat.ts";
import type { Update } from "#ports/store.ts";
import type { Tool } from "#ports/tool.ts";

const input = z.strictObject({
  title: z.string().min(1).max(120).describe("a few words"),
  instruction: z.string().min(1).max(15_000).describe("the whole task: the VP sees nothing else"),
  kind: z.enum([...vpSeats, "unsure"]),
  workspace: z.string().max(64).optional().describe("a name from fleet; the repository to work in"),
  factory: z.string().max(64).optional().describe("only if the owner named one"),
  require_verified: z.boolean().optional().describe("true: without passing tests it counts as failed"),
});

export function delegateTool(hq: Headquarters, update: Update, inbound: Extract<Inbound, { kind: "text" }>): Tool<z.infer<typeof input>> {
  return {
    name: "delegate",
    description:
      "Have a VP do a piece of work on a machine. Returns at once with the task's id; the outcome is reported to the owner by itself.",
    input,
    needs: null,
    repeatable: true,
    async run(wish, call) {
      const known = await knownWorkspaces(hq);
      if (wish.workspace && !known.includes(wish.workspace)) {
        return { content: `There is no workspace ${wish.workspace}. There are: ${known.join(", ") || "none"}.`, isError: true };
      }
      const [only] = known;
      const { task, route } = await delegate(hq, {
        id: call.key,
        chat: inbound.chat,
        message: inbound.message,
        title: wish.title,
        instruction: wish.instruction,
        kind: wish.kind === "unsure" ? null : wish.kind,
        workspace: wish.workspace ?? (known.length === 1 && only ? only : null),
        factory: wish.factory ?? null,
        priority: 0,
        notBefore: null,
        deadline: null,
        replayOf: null,
        limits: hq.profile.limits,
        requireVerified: wish.require_verified ?? false,
        receivedAt: update.receivedAt,
      });
      const where = route ? route.reason : `it is ${task.state} at ${task.factory ?? "headquarters"}`;
      return { content: `Task ${task.id} is ${task.state}${task.factory ? ` at ${task.factory}` : ""}: ${where}.` };
    },
  };
}

async function knownWorkspaces(hq: Headquarters): Promise<string[]> {
  const fleet = await hq.store.factories.list();
  return [
    ...new Set(fleet.filter((f) => f.status !== "retired" && f.status !== "pending").flatMap((f) => f.facts?.workspaces ?? [])),
  ].toSorted();
}
