/** Simone hands work to a VP. One call, one task, however often the turn is run. */
import * as z from "zod";
import { vpSeats } from "#core/vp.ts";
import { wishesOf } from "#factory/card.ts";
import { delegate } from "#factory/delegate.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import { parseMoment } from "#factory/when.ts";
import type { Inbound } from "#ports/chat.ts";
import type { Update } from "#ports/store.ts";
import type { Tool } from "#ports/tool.ts";

const priorities = { high: 1, normal: 0, low: -1 } as const;
const moment = z.union([z.number(), z.string().max(40)]);
const written = "minutes from the owner's message, or ISO 8601 with a zone";

const input = z.strictObject({
  title: z.string().min(1).max(120).describe("a few words"),
  instruction: z.string().min(1).max(15_000).describe("the whole task: the VP sees nothing else"),
  kind: z.enum([...vpSeats, "unsure"]),
  workspace: z.string().max(64).optional().describe("a name from fleet; the repository to work in"),
  factory: z.string().max(64).optional().describe("only if the owner named one"),
  require_verified: z.boolean().optional().describe("true: without passing tests it counts as failed"),
  with_edits: z.boolean().optional().describe("true: it starts with the owner's uncommitted changes; only if the owner said so"),
  priority: z.enum(["high", "normal", "low"]).optional().describe("only if the owner said what is urgent, or can wait"),
  not_before: moment.optional().describe(`not to begin before: ${written}`),
  deadline: moment.optional().describe(`only if the owner set one: what has not begun by then expires, undone. ${written}`),
  after: z.array(z.string().max(64)).max(8).optional().describe("ids of tasks that must have succeeded before it begins"),
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
      // Counted from the owner's message: the same turn run again comes to the same wish.
      const from = update.receivedAt;
      const notBefore = wish.not_before === undefined ? null : parseMoment(wish.not_before, "not_before", from);
      const deadline = wish.deadline === undefined ? null : parseMoment(wish.deadline, "deadline", from);
      if (notBefore !== null && deadline !== null && deadline <= notBefore) {
        return { content: "The deadline is not after not_before: it would expire before it may begin.", isError: true };
      }
      const { task, route, question } = await delegate(hq, {
        id: call.key,
        chat: inbound.chat,
        message: inbound.message,
        title: wish.title,
        instruction: wish.instruction,
        kind: wish.kind === "unsure" ? null : wish.kind,
        workspace: wish.workspace ?? (known.length === 1 && only ? only : null),
        factory: wish.factory ?? null,
        priority: priorities[wish.priority ?? "normal"],
        notBefore,
        deadline,
        after: wish.after ?? [],
        replayOf: null,
        follow: null,
        limits: hq.profile.limits,
        requireVerified: wish.require_verified ?? false,
        withEdits: wish.with_edits ?? false,
        receivedAt: update.receivedAt,
      });
      const wishes = wishesOf(task);
      const why = [route?.reason ?? task.reason, ...(wishes === "" ? [] : [wishes])].join("; ");
      const said = `Task ${task.id} is ${task.state}${task.factory ? ` at ${task.factory}` : ""}: ${why}.`;
      if (!question) return { content: said };
      const options = question.options.map(({ key, label }) => `${key} (${label})`).join(", ");
      return { content: `${said} The owner was asked with buttons what shall become of it, question ${question.id}: ${options}.` };
    },
  };
}

async function knownWorkspaces(hq: Headquarters): Promise<string[]> {
  const fleet = await hq.store.factories.list();
  return [
    ...new Set(fleet.filter((f) => f.status !== "retired" && f.status !== "pending").flatMap((f) => f.facts?.workspaces ?? [])),
  ].toSorted();
}
