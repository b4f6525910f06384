/** A factory's `capabilities.md`: what it is and may do, from the same table that the router and the prompts read. */
import { capabilities, capabilityNames } from "#core/capability.ts";
import { showNanos } from "#core/ledger.ts";
import { vpSeats } from "#core/vp.ts";
import type { Profile } from "./profile.ts";

/** How a workspace is made ready and tested, in words. */
export interface WorkspaceNote {
  test: string;
  setup: string;
}

/** Markdown for people and prompts. Holds no secret and no raw environment value. `notes`: of workspaces, where somebody looked. */
export function capabilitiesMd(profile: Profile, notes: Readonly<Record<string, WorkspaceNote>> = {}): string {
  const vps = vpSeats.filter((seat) => profile.capabilities[seat]);
  const lines = [
    `# ${profile.name}`,
    "",
    `A ${profile.role === "headquarters" ? "headquarters" : "branch"} factory (\`${profile.id}\`), led by ${profile.personas.primary}.`,
    "",
    "## Who works here",
    "",
    `- ${profile.personas.primary}: leads`,
    ...vps.map(
      (seat) =>
        `- ${profile.personas[seat]}: VP ${seat[0]?.toUpperCase()}${seat.slice(1)}, ${profile.inference[seat].map(({ provider, model }) => `${provider}/${model}`).join(", else ")}`,
    ),
    "",
    "## Capabilities",
    "",
    "| Capability | State | Allows |",
    "|---|---|---|",
    ...capabilityNames.map((name) => {
      const { label, allows } = capabilities[name];
      return `| ${label} | ${profile.capabilities[name] ? "Enabled" : "Disabled"} | ${allows} |`;
    }),
    "",
    "## Bounds of one task",
    "",
    `- ${showNanos(profile.limits.usd)}, ${profile.limits.tokens} tokens, ${profile.limits.steps} steps, ${profile.limits.wallS / 60} minutes`,
    `- ${profile.slots} at once`,
    "",
    "## Workspaces",
    "",
    ...(Object.keys(profile.workspaces).length === 0
      ? ["none"]
      : Object.keys(profile.workspaces).flatMap((name) => workspaceLines(name, notes[name]))),
    "",
  ];
  return lines.join("\n");
}

function workspaceLines(name: string, note: WorkspaceNote | undefined): string[] {
  return [`- ${name}`, ...(note ? [`  - tests: ${note.test}`, `  - set-up: ${note.setup}`] : [])];
}
