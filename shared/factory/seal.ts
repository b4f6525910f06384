/** Wraps what this program says into sealed envelopes. */
import { type Body, type Envelope, type Kind, kinds, wireVersion } from "#core/envelope.ts";
import type { Clock } from "#ports/clock.ts";
import type { Ids } from "#ports/ids.ts";
import type { Signer } from "#ports/signer.ts";

export interface SealDeps {
  /** Who speaks: `hq` or a factory id. */
  self: string;
  signer: Signer;
  clock: Clock;
  ids: Ids;
}

export interface Sealed {
  id: string;
  jws: string;
}

/** `seq` is 0 where order does not matter. */
export async function seal<K extends Kind>(
  deps: SealDeps,
  kind: K,
  body: Body<K>,
  to: { aud: string; corr: string | null; seq?: number },
): Promise<Sealed> {
  const now = Math.floor(deps.clock.now() / 1000);
  const id = deps.ids.next("env");
  const envelope = {
    v: wireVersion,
    id,
    iss: deps.self,
    aud: to.aud,
    kind,
    iat: now,
    exp: now + kinds[kind].lifeS,
    seq: to.seq ?? 0,
    corr: to.corr,
    body,
  } as Envelope<K>;
  return { id, jws: await deps.signer.seal(envelope) };
}
