/** The Ops Token: what one factory may do for one task, for a quarter of an hour. A JWT signed by HQ. */
import * as z from "zod";
import type { CapabilitySet } from "./capability.ts";
import { limitsSchema } from "./limits.ts";

export const opsTokenType = "uac-ops+jwt";
export const opsTokenMinutes = 15;

/** What a tool may do: every tool names the one action it needs. */
export const actions = ["read", "write", "exec", "commit", "push"] as const;
export type Action = (typeof actions)[number];

export const opsTokenSchema = z.strictObject({
  iss: z.literal("hq"),
  /** The factory that may use it. */
  aud: z.string().max(64),
  sub: z.string().max(64),
  jti: z.string().max(64),
  iat: z.int(),
  nbf: z.int(),
  exp: z.int(),
  /** RFC 7800 confirmation: the thumbprint of the factory's key (RFC 7638). A thief without the key holds nothing. */
  cnf: z.strictObject({ jkt: z.string().max(64) }),
  /** Generation: raised by HQ to revoke every earlier token of the factory. */
  gen: z.int().nonnegative(),
  tsk: z.string().max(64),
  epoch: z.int().positive(),
  /** The workspace it is good for; null for none. */
  rep: z.string().max(64).nullable(),
  act: z.array(z.enum(actions)).max(actions.length),
  /** `host:port` that the sandbox may reach. */
  net: z.array(z.string().max(260)).max(64),
  /** Names of secrets that the task may use. */
  sec: z.array(z.string().max(128)).max(64),
  lim: limitsSchema,
  /** Digest of the policy it was minted under. */
  pol: z.string().max(64),
});
export type OpsToken = z.infer<typeof opsTokenSchema>;

/** The actions that a factory's capabilities allow. */
export function actionsOf(set: CapabilitySet): Action[] {
  const by: Record<Action, boolean> = {
    read: set.files,
    write: set.files,
    exec: set.shell,
    commit: set.git,
    push: set.push,
  };
  return actions.filter((action) => by[action]);
}
