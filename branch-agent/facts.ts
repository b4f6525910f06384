/** What a factory tells of itself with every heartbeat. No secret, no raw environment value. */
import type { FactoryFacts } from "#core/envelope.ts";
import { vpSeats } from "#core/vp.ts";
import type { Branch } from "#factory/branch.ts";

export function factsOf(deps: Pick<Branch, "profile" | "modelOf" | "workspaces" | "version" | "clock">): FactoryFacts {
  const { profile, workspaces, version, clock } = deps;
  const seat = vpSeats.find((candidate) => profile.capabilities[candidate]) ?? vpSeats[0];
  const { provider, model } = deps.modelOf(seat);
  return {
    name: profile.name,
    role: profile.role,
    personas: profile.personas,
    capabilities: profile.capabilities,
    provider,
    model,
    workspaces: workspaces.names(),
    slots: profile.slots,
    version,
    startedAt: clock.now(),
  };
}
