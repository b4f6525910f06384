/** What an attempt did counts only while it was the task's present one. */
import type { Evidence } from "../evidence.ts";
import { type Invariant, invariant } from "./invariant.ts";

export function effectsFenced({ tasks, slips, told, calls }: Evidence): Invariant {
  const broken: string[] = [];
  const done = tasks.filter(({ state }) => state === "succeeded");
  for (const { id, job, epoch, factory, receipt } of done) {
    const branch = `uac/${id}-${epoch}`;
    if (receipt?.branch !== branch) {
      broken.push(`task ${id}: attempt ${epoch} counts, and the accepted work is on ${receipt?.branch ?? "no branch"}`);
      continue;
    }
    const slip = slips.get(`${factory} ${branch}`)?.trim();
    const wanted = `job ${job}, task ${id}, attempt ${epoch}`;
    if (slip !== wanted) broken.push(`task ${id}: ${factory} holds ${branch} with "${slip ?? "nothing"}", not "${wanted}"`);
  }
  // Once a branch was told that an attempt is over, that attempt asks nothing of anybody any more.
  const stops = told.filter(({ what }) => what === "stopped");
  for (const { who, at, detail } of stops) {
    for (const { task, epoch } of detail as { task: string; epoch: number }[]) {
      const late = calls.find(
        (call) => call.life.startsWith(`${who}.`) && call.attempt?.task === task && call.attempt.epoch === epoch && call.askedAt > at,
      );
      if (late) broken.push(`${who} went on with attempt ${epoch} of task ${task} ${late.askedAt - at} ms after it was told to stop`);
    }
  }
  return invariant("effects are fenced by epoch", done.length, broken, { stops: stops.length });
}

/** An attempt may be given up as never claimed only if its order went out. */
export function ordersLeft({ attempts }: Evidence): Invariant {
  const broken = attempts
    .filter(({ outcome, claimedAt, sent }) => outcome === "lost" && claimedAt === null && !sent)
    .map(
      ({ task, epoch, factory }) =>
        `attempt ${epoch} of task ${task} was given up: ${factory} did not claim an order that never left headquarters`,
    );
  return invariant("no order is forgotten", attempts.length, broken, { lost: attempts.filter(({ outcome }) => outcome === "lost").length });
}
