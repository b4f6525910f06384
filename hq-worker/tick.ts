/** The minute tick: what no request woke up for. */
import { recoverLost } from "#factory/recover.ts";
import { settleAndTell } from "./api.ts";
import type { HqContext } from "./context.ts";

/** A turn that nobody worked on for so long has lost its wake-up. */
const stuckAfterMs = 30_000;

export async function tick(context: Pick<HqContext, "hq" | "desks">): Promise<void> {
  const { hq, desks } = context;
  await settleAndTell(context);
  await recoverLost(hq);
  for (const chat of await hq.store.updates.stuckChats(hq.clock.now() - stuckAfterMs)) await desks.ring(chat);
}
