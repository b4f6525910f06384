/** HQ's side of a heartbeat: notes the facts, renews the leases, and says what to stop. */
import type { Body } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { leaseMs } from "#core/fleet.ts";
import type { HeartbeatReply } from "#core/hq-api.ts";
import { leasedStates } from "#core/task.ts";
import type { Factory } from "#ports/store.ts";
import { mintToken } from "./claim.ts";
import type { Headquarters } from "./headquarters.ts";

type Deps = Pick<Headquarters, "store" | "signer" | "verifier" | "clock" | "ids" | "profile">;

const nothing = { stop: [], controls: [], heard: 0, resend: [], tokens: [] };

/** Throws `forbidden` for a factory that was retired. One that waits for approval is heard, and told so. */
export async function acceptHeartbeat(deps: Deps, factory: Factory, beat: Body<"heartbeat">): Promise<HeartbeatReply> {
  const { store, clock } = deps;
  if (factory.status === "retired") throw new UacError("forbidden", `${factory.name} was retired; enrol it again to use it`);
  const now = clock.now();
  await store.factories.heartbeat(factory.id, beat.facts, beat.rttMs, beat.draining, now);
  if (factory.status === "pending") return { now, status: "pending", ...nothing };

  const stop = beat.running.length > 0 ? await store.tasks.renew(factory.id, beat.running, now + leaseMs, now) : [];
  const kept = beat.running.filter((run) => !stop.some(({ task, epoch }) => task === run.task && epoch === run.epoch));
  const held = kept.length > 0 ? await store.tasks.list({ factory: factory.id, states: leasedStates, limit: 64 }) : [];
  const tokens: HeartbeatReply["tokens"] = [];
  for (const task of held) {
    if (!kept.some((run) => run.task === task.id && run.epoch === task.epoch)) continue;
    tokens.push({ task: task.id, epoch: task.epoch, token: await mintToken(deps, { ...factory, facts: beat.facts }, task) });
  }
  return { ...nothing, now, status: factory.status, stop, tokens };
}
