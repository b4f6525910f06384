/** Who belongs to the corporation, in the state of record: keys, status, and what each told of itself. */
import type { Body, FactoryFacts } from "#core/envelope.ts";
import type { FactoryStatus } from "#core/fleet.ts";
import type { PublicKey } from "#core/hq-api.ts";
import type { Role } from "#core/role.ts";

export interface Factory {
  id: string;
  status: FactoryStatus;
  kid: string;
  key: PublicKey;
  gen: number;
  /** Hash of the password of its own user on the bus; null where it has none. */
  busHash: string | null;
  facts: FactoryFacts | null;
  role: Role;
  name: string;
  enrolledAt: number;
  lastHeartbeatAt: number | null;
  rttMs: number | null;
  /** Since when it is here without a break longer than the lease. */
  connectedSince: number | null;
  /** Tasks dispatched or running there. */
  busy: number;
}

export interface JoinCode {
  hash: string;
  factory: string;
  name: string;
  role: Role;
  expiresAt: number;
}

/** What a heartbeat shows of the two ways on the bus. */
export interface Compared {
  status: FactoryStatus;
  /** Every report up to this number is settled, or given up. */
  heard: number;
  /** Reports that were sent before the last heartbeat but one, and did not come though HQ read the bus since; the first of them. */
  missing: number[];
  /** Reports that never came and that the factory has no more. */
  lost: { from: number; to: number } | null;
}

export interface Factories {
  list(): Promise<Factory[]>;
  get(id: string): Promise<Factory | null>;
  byKid(kid: string): Promise<Factory | null>;
  /**
   * One batch: notes the facts; keeps what the factory holds (`accepted`) with it, and lets those that it does not
   * name be published again; compares the reports that it sent with those that came. `not_found` where there is no such factory.
   */
  heartbeat(id: string, beat: Omit<Body<"heartbeat">, "obeyed" | "bus">, now: number): Promise<Compared>;
  /** Enrolled, not yet approved. An id that exists gets the new key and must be approved again: never a second row. */
  enrol(
    factory: { id: string; name: string; role: Role; kid: string; key: PublicKey; busHash?: string | null },
    now: number,
  ): Promise<void>;
  /** Notes that a retired factory's user on the bus is gone. Nothing for a factory that is not retired. */
  forgetBusUser(id: string): Promise<void>;
  /**
   * False if there is no such factory, or it is retired. With `kid` only while that is its key: an approval is for the key
   * whose fingerprint was shown. With `from` only while that is its status.
   */
  setStatus(id: string, status: FactoryStatus, now: number, kid?: string, from?: FactoryStatus): Promise<boolean>;
  addCode(code: JoinCode, now: number): Promise<void>;
  /** Uses the code up. Wrong guesses are counted on all open codes of that factory id: the sixth burns them. */
  redeem(hash: string, factory: string, now: number): Promise<JoinCode | "unknown" | "used" | "expired" | "burned">;
}
