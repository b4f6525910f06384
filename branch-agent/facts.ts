/** What a factory tells of itself with every heartbeat. No secret, no raw environment value. */
import type { FactoryFacts } from "#core/envelope.ts";
import { vpSeats } from "#core/vp.ts";
import type { Branch } from "#factory/branch.ts";

export function factsOf(deps: Pick<Branch, "profile" | "workspaces" | "version" | "clock">): FactoryFacts {
  const { profile, workspaces, version, clock } = deps;
  const working = vpSeats.filter((seat) => profile.capabilities[seat]);
  const [{ provider, model }] = profile.inference[working[0] ?? vpSeats[0]];
  return {
    name: profile.name,
    role: profile.role,
    personas: profile.personas,
    capabilities: profile.capabilities,
    provider,
    model,
    models: Object.fromEntries(working.map((seat) => [seat, named(profile.inference[seat][0])])),
    workspaces: workspaces.names(),
    slots: profile.slots,
    version,
    startedAt: clock.now(),
  };
}

function named({ provider, model }: { provider: string; model: string }): string {
  return `${provider}/${model}`;
}
