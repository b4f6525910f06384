/** A heartbeat of a factory with nothing to tell, and an answer of an HQ with nothing to say: tests change what they are about. */
import type { Body, FactoryFacts } from "#core/envelope.ts";
import type { HeartbeatReply } from "#core/hq-api.ts";

export function quietBeat(facts: FactoryFacts, changed: Partial<Body<"heartbeat">> = {}): Body<"heartbeat"> {
  return { facts, rttMs: null, draining: false, running: [], accepted: [], reports: null, obeyed: [], bus: "ok", ...changed };
}

export function quietReply(changed: Partial<HeartbeatReply> = {}): HeartbeatReply {
  return { now: 0, status: "active", stop: [], controls: [], heard: 0, resend: [], tokens: [], budgets: [], ...changed };
}
