/** The factories, as a person or a model reads them. */
import * as z from "zod";
import { capabilities, enabled } from "#core/capability.ts";
import { liveness, showModels } from "#core/fleet.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import type { Factory } from "#ports/factories.ts";
import type { Tool } from "#ports/tool.ts";

const input = z.strictObject({});

export function fleetTool(hq: Headquarters): Tool<z.infer<typeof input>> {
  return {
    name: "fleet",
    description: "The factories: who is online, their VPs, workspaces and load.",
    input,
    needs: null,
    repeatable: true,
    run: async () => ({ content: await fleetReport(hq) }),
  };
}

export async function fleetReport(hq: Headquarters): Promise<string> {
  const fleet = (await hq.store.factories.list()).filter((factory) => factory.status !== "retired");
  if (fleet.length === 0) return "No factory has joined yet. /enrol <id> makes a code for one.";
  return fleet.map((factory) => describe(factory, hq.clock.now())).join("\n");
}

function describe(factory: Factory, now: number): string {
  const { facts } = factory;
  const state = liveness(factory, now);
  const seen = factory.lastHeartbeatAt === null ? "never heard of" : `heard of ${Math.round((now - factory.lastHeartbeatAt) / 1000)} s ago`;
  if (!facts) return `${factory.name} (${factory.id}): ${state}, ${seen}`;
  const { personas } = facts;
  const can = enabled(facts.capabilities).map((name) => capabilities[name].label);
  return [
    `${factory.name} (${factory.id}): ${state}, ${seen}`,
    `  led by ${personas.primary}; ${showModels(facts)}; busy ${factory.busy}/${facts.slots}`,
    `  capabilities: ${can.join(", ")}`,
    `  workspaces: ${facts.workspaces.join(", ") || "none"}`,
  ].join("\n");
}
