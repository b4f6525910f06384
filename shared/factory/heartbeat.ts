/** HQ's side of a heartbeat: notes the facts, renews the leases, says what to stop, what to do, what is heard and what to send again. */
import { type Body, controlsPerBeat } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { leaseMs } from "#core/fleet.ts";
import type { HeartbeatReply } from "#core/hq-api.ts";
import { leasedStates } from "#core/task.ts";
import type { Compared, Factory } from "#ports/factories.ts";
import { budgetsFor } from "./budgets.ts";
import { mintToken } from "./claim.ts";
import type { Headquarters } from "./headquarters.ts";
import { heedCaps } from "./over-budget.ts";
import { heedSetups } from "./setup-approval.ts";

type Deps = Pick<Headquarters, "store" | "signer" | "verifier" | "clock" | "ids" | "log" | "profile" | "settings" | "callsLeft">;

const nothing = { stop: [], controls: [], heard: 0, resend: [], tokens: [], budgets: [] };

/** Throws `forbidden` for a factory that was retired. One that waits for approval is heard, and told so. */
export async function acceptHeartbeat(deps: Deps, factory: Factory, beat: Body<"heartbeat">): Promise<HeartbeatReply> {
  const { store, clock } = deps;
  const now = clock.now();
  const compared = await store.factories.heartbeat(factory.id, beat, now);
  const { status } = compared;
  if (status === "retired") throw new UacError("forbidden", `${factory.name} was retired; enrol it again to use it`);
  if (status === "pending") return { now, status, ...nothing };
  await noteGaps(deps, factory.id, compared);

  const stop = beat.running.length > 0 ? await store.tasks.renew(factory.id, beat.running, now + leaseMs, now) : [];
  const kept = beat.running.filter((run) => !stop.some(({ task, epoch }) => task === run.task && epoch === run.epoch));
  const held = kept.length > 0 ? await store.tasks.list({ factory: factory.id, states: leasedStates, limit: 64 }) : [];
  const tokens: HeartbeatReply["tokens"] = [];
  for (const task of held) {
    if (!kept.some((run) => run.task === task.id && run.epoch === task.epoch)) continue;
    if (task.cancelRequested !== null) continue;
    tokens.push({ task: task.id, epoch: task.epoch, token: await mintToken(deps, { ...factory, facts: beat.facts }, task) });
  }
  const known = kept.flatMap((run) => {
    const task = held.find(({ id, epoch }) => id === run.task && epoch === run.epoch);
    return task && task.cancelRequested === null ? [{ task, at: run.overBudget, asked: run.approval }] : [];
  });
  await heedCaps(deps, known);
  await heedSetups(deps, known);
  const controls = await store.controls.exchange(factory.id, beat.obeyed, controlsPerBeat, now);
  const budgets = await budgetsFor(deps, factory.id);
  return { now, status, stop, controls, heard: compared.heard, resend: compared.missing, tokens, budgets };
}

/** A report that is missing was on the bus and is not any more: somebody wiped or trimmed it. */
async function noteGaps({ store, clock, log }: Deps, factory: string, { missing, lost }: Compared) {
  const [first] = missing;
  if (first !== undefined) {
    const text = `${missing.length === 1 ? "a report" : `${missing.length} reports`} of ${factory} did not come (from no. ${first} on): the bus was wiped or trimmed. They are sent again.`;
    log.warn(text, { factory, missing });
    // They come back from the first on: the last is what tells this gap from the next.
    await store.incident({ kind: "gap", factory, text, digest: `${factory}:${missing.at(-1)}` }, clock.now());
  }
  if (lost) {
    const text = `${factory} has reports no more that never came (no. ${lost.from} to ${lost.to}): its journal was replaced, or is damaged.`;
    log.error(text, { factory, ...lost });
    await store.incident({ kind: "gap", factory, text, digest: `${factory}:${lost.from}-${lost.to}` }, clock.now());
  }
}
