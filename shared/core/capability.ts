/** Every capability flag in one table: its variable, its default by role, what it allows and what it needs. */

import type { Role } from "./role.ts";
import { byVp, vpSeats, vps } from "./vp.ts";

export interface Capability {
  readonly env: string;
  readonly label: string;
  readonly allows: string;
  /** Flags that must be on too. */
  readonly needs: readonly CapabilityName[];
  readonly on: Readonly<Record<Role, boolean>>;
}

const toolFamilies = ["files", "shell", "git", "network"] as const;
export const capabilityNames = [...vpSeats, ...toolFamilies] as const;
export type CapabilityName = (typeof capabilityNames)[number];

export const capabilities: Readonly<Record<CapabilityName, Capability>> = {
  // Whoever works reads: no VP without files.
  ...byVp(
    (seat): Capability => ({ env: vps[seat].env, label: vps[seat].label, allows: vps[seat].allows, on: vps[seat].on, needs: ["files"] }),
  ),
  files: {
    env: "ENABLE_FILES",
    label: "FILES",
    allows: "read, search, write and edit files inside the task's worktree",
    needs: [],
    on: { headquarters: true, branch: true },
  },
  shell: {
    env: "ENABLE_SHELL",
    label: "SHELL",
    allows: "run commands, the repository's tests among them, inside the sandbox",
    needs: [],
    on: { headquarters: true, branch: true },
  },
  git: {
    env: "ENABLE_GIT",
    label: "GIT",
    allows: "commit the result to a branch of its own (the host commits, never the model)",
    needs: ["files"],
    on: { headquarters: true, branch: true },
  },
  network: {
    env: "ENABLE_NETWORK",
    label: "NETWORK",
    allows: "let commands reach the hosts that both headquarters and the factory name in ALLOW_HOSTS",
    needs: ["shell"],
    on: { headquarters: false, branch: false },
  },
};

export type CapabilitySet = Readonly<Record<CapabilityName, boolean>>;

/** The flags of `role` when the environment says nothing. */
export function defaultCapabilities(role: Role): CapabilitySet {
  return Object.fromEntries(capabilityNames.map((name) => [name, capabilities[name].on[role]])) as CapabilitySet;
}

/** Which needs are not met, as `[flag, missing need]` pairs. */
export function unmetNeeds(set: CapabilitySet): [CapabilityName, CapabilityName][] {
  return capabilityNames
    .filter((name) => set[name])
    .flatMap((name) => capabilities[name].needs.filter((need) => !set[need]).map((need): [CapabilityName, CapabilityName] => [name, need]));
}

/** The names that are on, in table order. */
export function enabled(set: CapabilitySet): CapabilityName[] {
  return capabilityNames.filter((name) => set[name]);
}
