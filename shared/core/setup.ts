/** What makes a fresh worktree of a workspace ready: a command, and the hosts that it may reach. It runs only if the owner approved exactly that. */
import * as z from "zod";

export const maxSetupHosts = 32;

export const setupSchema = z.strictObject({
  workspace: z.string().max(64),
  command: z.string().min(1).max(1000),
  /** `host:port`. */
  hosts: z.array(z.string().max(260)).max(maxSetupHosts),
});
export type Setup = z.infer<typeof setupSchema>;

/** A set-up that a run stands still for, since nobody has approved it. `digest`: SHA-256 over what is asked, as hex. */
export const setupAskedSchema = z.strictObject({ ...setupSchema.shape, digest: z.string().regex(/^[0-9a-f]{64}$/) });
export type SetupAsked = z.infer<typeof setupAskedSchema>;

/** `once`: for this attempt; `always`: wherever exactly the same is to run again; `never`: this attempt goes on without. */
export const allowances = ["once", "always", "never"] as const;

/** `npm ci, which reaches registry.npmjs.org:443`. */
export function showSetup({ command, hosts }: Pick<Setup, "command" | "hosts">): string {
  return `${command}, which reaches ${hosts.length === 0 ? "no host" : hosts.join(", ")}`;
}
