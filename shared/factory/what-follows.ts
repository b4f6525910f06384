/** What can become of a finished branch, as its receipt says. */
import type { FollowDo } from "#core/follow-up.ts";
import { isTerminal } from "#core/task.ts";
import type { Task } from "#ports/tasks.ts";

type Finished = Pick<Task, "state" | "receipt" | "workspace" | "factory" | "follow">;

/** What the branch of this task allows; empty where there is none, or nothing is known of it. A failed one is only worth discarding. */
export function followUpsOf({ state, receipt, workspace, factory, follow }: Finished): FollowDo[] {
  if (!isTerminal(state) || follow !== null || workspace === null || factory === null) return [];
  if (!receipt?.branch || !receipt.head || !receipt.prospects) return [];
  return receipt.prospects.can.filter((one) => state === "succeeded" || one === "discard");
}
