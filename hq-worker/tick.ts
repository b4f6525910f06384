/** The minute tick: what no request woke up for. */
import { expelRetired } from "#factory/admit.ts";
import { announceForgotten } from "#factory/announce.ts";
import { settleQuestions } from "#factory/answer-owner.ts";
import { tellOfBudgets } from "#factory/budgets.ts";
import { raiseBusAlarm } from "#factory/bus-alarm.ts";
import { drain } from "#factory/drain.ts";
import { moveWaiting } from "#factory/ended.ts";
import { expireOverdue } from "#factory/expire.ts";
import { askAboutHolds } from "#factory/hold.ts";
import { recoverLost } from "#factory/recover.ts";
import { each, tellJobs } from "./api.ts";
import type { HqContext } from "./context.ts";

/** A turn that nobody worked on for so long has lost its wake-up. */
const stuckAfterMs = 30_000;

export async function tick(context: Pick<HqContext, "hq" | "desks">): Promise<void> {
  const { hq } = context;
  await each(hq, {
    // Who can't read the bus can't say that nobody answers there.
    "read the bus and recover": async () => {
      await recoverLost(hq, await drain(hq).catch((error: unknown) => raiseBusAlarm(hq, error)));
    },
    "delete users of retired factories": () => expelRetired(hq),
    "expire what is overdue": () => expireOverdue(hq),
    "move on what waited": () => moveWaiting(hq, null),
    "announce what was forgotten": () => announceForgotten(hq),
    "release what was reserved": async () => void (await hq.store.spending.release(hq.clock.now())),
    "tell of budgets": () => tellOfBudgets(hq),
    "settle questions": () => settleQuestions(hq),
    "ask about holds": () => askAboutHolds(hq),
    ...tellJobs(context),
    "wake stuck chats": () => ringUnfinished(context, hq.clock.now() - stuckAfterMs),
  });
}

/** Rings every chat that has a message from before then (ms) which is not finished. */
export async function ringUnfinished({ hq, desks }: Pick<HqContext, "hq" | "desks">, before: number): Promise<void> {
  for (const chat of await hq.store.updates.stuckChats(before)) await desks.ring(chat);
}
