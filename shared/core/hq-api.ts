/** What HQ answers a factory over HTTPS. Requests are signed envelopes (`claim`, `heartbeat`, `doorbell`) as text/plain. */
import * as z from "zod";
import { toldBudgetSchema } from "./budget-period.ts";
import { controlSchema } from "./control.ts";
import { factoryIdPattern } from "./fleet.ts";
import { roles } from "./role.ts";

export const paths = {
  enrol: "/api/enrol",
  claim: "/api/claim",
  heartbeat: "/api/heartbeat",
  doorbell: "/api/doorbell",
} as const;

/** An Ed25519 public key as a JWK (RFC 8037). */
export const publicKeySchema = z.strictObject({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});
export type PublicKey = z.infer<typeof publicKeySchema>;

/** Sent with a join code. `proof` is a JWS over the code's hash by the new key: possession. */
export const enrolRequestSchema = z.strictObject({
  code: z.string().max(64),
  factory: z.string().regex(factoryIdPattern),
  name: z.string().min(1).max(64),
  role: z.enum(roles),
  key: publicKeySchema,
  proof: z.string().max(2000),
});
export type EnrolRequest = z.infer<typeof enrolRequestSchema>;

export const enrolReplySchema = z.strictObject({
  factory: z.string().regex(factoryIdPattern),
  /** HQ's key, pinned from now on. */
  hqKey: publicKeySchema,
  hqKid: z.string().max(64),
  busUrl: z.string().max(500),
  busToken: z.string().max(500),
  /** The fingerprint that the owner compares. */
  fingerprint: z.string().max(64),
  status: z.enum(["pending", "active"]),
});
export type EnrolReply = z.infer<typeof enrolReplySchema>;

export const claimReplySchema = z.strictObject({
  token: z.string().max(8000),
  leaseUntil: z.int(),
  /** True where this factory held the claim already: it goes on with its own attempt. */
  resumed: z.boolean(),
});
export type ClaimReply = z.infer<typeof claimReplySchema>;

export const heartbeatReplySchema = z.strictObject({
  now: z.int(),
  status: z.enum(["pending", "active", "draining", "paused"]),
  /** Attempts that are not this factory's to work on any more: lost, given to another, over. */
  stop: z.array(z.strictObject({ task: z.string(), epoch: z.int(), reason: z.string() })),
  /** What it has not said yet that it obeyed, oldest first. */
  controls: z.array(controlSchema),
  /** Every report up to this `seq` is settled at HQ: the factory need not keep it any longer. */
  heard: z.int().nonnegative(),
  /** Reports that were sent and never came: to be sent again. */
  resend: z.array(z.int().nonnegative()),
  /** Fresh Ops Tokens for the tasks that it runs. */
  tokens: z.array(z.strictObject({ task: z.string(), epoch: z.int(), token: z.string() })),
  /** The owner's budgets that bind it, and what others spent of them. */
  budgets: z.array(toldBudgetSchema),
});
export type HeartbeatReply = z.infer<typeof heartbeatReplySchema>;

/**
 * Refusals: the status says what kind, the text is for a person. `from` tells them from what answers in headquarters' place, a
 * proxy or a sign-in page: a factory that is refused as `forbidden` ends all its work, and should hear that from nobody else.
 */
export const refusalSchema = z.object({
  from: z.literal("headquarters"),
  error: z.string(),
  message: z.string(),
  /** What time it is there, where it refused an envelope: the factory's clock may be wrong. */
  now: z.int().positive().optional(),
});
export type Refusal = z.infer<typeof refusalSchema>;
