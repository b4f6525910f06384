/** Headquarters' door for a branch in the same test, without HTTP. */
import type { Envelope } from "#core/envelope.ts";
import { grantClaim } from "#factory/claim.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import { acceptHeartbeat } from "#factory/heartbeat.ts";
import type { Hq } from "#ports/hq.ts";
import type { BranchBench } from "./branch.ts";

export function doorOf(hq: Headquarters): Hq {
  const open = async <K extends Envelope["kind"]>(jws: string, _: K) => {
    const factory = await hq.store.factories.get("desk-1");
    if (!factory) throw new Error("nobody has joined");
    const envelope = await hq.verifier.open(jws, "hq", async () => ({ owner: factory.id, key: factory.key }), hq.clock.now());
    return { factory, body: envelope.body as Extract<Envelope, { kind: K }>["body"] };
  };
  return {
    enrol: () => Promise.reject(new Error("not here")),
    async claim(jws) {
      const { factory, body } = await open(jws, "claim");
      return grantClaim(hq, factory, body);
    },
    async heartbeat(jws) {
      const { factory, body } = await open(jws, "heartbeat");
      return acceptHeartbeat(hq, factory, body);
    },
    async ring(jws) {
      await open(jws, "doorbell");
    },
  };
}

/** The branch as a factory that the owner approved. */
export async function enrolled(hq: Headquarters, { branch: { signer } }: BranchBench) {
  const { factories } = hq.store;
  await factories.enrol({ id: "desk-1", name: "Desk", role: "branch", kid: signer.kid, key: signer.publicKey }, hq.clock.now());
  await hq.bus.open("desk-1");
  await factories.setStatus("desk-1", "active", hq.clock.now());
}
