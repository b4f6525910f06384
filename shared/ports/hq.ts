/** Headquarters as a factory sees it. Rejects with `hq_unreachable` (try later) or with the code of HQ's refusal. */
import type { ClaimReply, EnrolReply, EnrolRequest, HeartbeatReply } from "#core/hq-api.ts";

export interface Hq {
  enrol(request: EnrolRequest): Promise<EnrolReply>;
  /** `jws` is a sealed `claim` envelope. */
  claim(jws: string): Promise<ClaimReply>;
  /** `jws` is a sealed `heartbeat` envelope. */
  heartbeat(jws: string): Promise<HeartbeatReply>;
  /** `jws` is a sealed `doorbell` envelope: something lies on the bus. */
  ring(jws: string): Promise<void>;
}
