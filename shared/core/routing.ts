/** Which factory gets a task: a rule over facts, with its reason. The model proposes, this decides. */
import type { CapabilitySet } from "./capability.ts";
import type { Liveness } from "./fleet.ts";
import { type VpSeat, vpSeats } from "./vp.ts";

export interface Candidate {
  id: string;
  name: string;
  liveness: Liveness;
  capabilities: CapabilitySet;
  workspaces: readonly string[];
  slots: number;
  /** Tasks dispatched to it and not ended. */
  busy: number;
}

export interface RoutingRequest {
  /** Null: the factory's primary chooses, so any VP will do. */
  kind: VpSeat | null;
  /** A workspace name; null where the task needs none. */
  workspace: string | null;
  /** The factory the owner named; null to choose. */
  factory: string | null;
}

export type HoldCode = "no_factory" | "no_capability" | "no_workspace" | "offline" | "busy" | "budget";
export type Route = { to: string; places: number; reason: string } | { hold: HoldCode; reason: string };

/** Dispatch credits: a factory may hold one order more than it has slots, so that it never waits for the bus. */
export const prefetch = 1;

/** How many tasks may be with a factory, its running ones with them. */
export function placesOf(f: Pick<Candidate, "slots">): number {
  return f.slots + prefetch;
}

/** Narrow the fleet step by step; the step that leaves nobody is the reason for the hold. */
export function route(request: RoutingRequest, fleet: readonly Candidate[]): Route {
  const known = fleet.filter((f) => f.liveness !== "retired" && f.liveness !== "pending");
  const asked = request.factory === null ? known : known.filter((f) => f.id === request.factory || f.name === request.factory);
  if (asked.length === 0) {
    return { hold: "no_factory", reason: request.factory ? `no factory is called ${request.factory}` : "no factory is enrolled" };
  }

  const able = asked.filter((f) => vpSeats.some((seat) => f.capabilities[seat] && (request.kind ?? seat) === seat));
  if (able.length === 0) return { hold: "no_capability", reason: `no ${vp(request)} on ${names(asked)}` };

  const { workspace } = request;
  const near = workspace === null ? able : able.filter((f) => f.workspaces.includes(workspace));
  if (near.length === 0) return { hold: "no_workspace", reason: `no workspace ${workspace} on ${names(able)}` };

  const awake = near.filter((f) => f.liveness === "online" || f.liveness === "stale");
  if (awake.length === 0) return { hold: "offline", reason: near.map((f) => `${f.name} is ${f.liveness}`).join(", ") };

  const free = awake.filter((f) => f.busy < placesOf(f));
  const best = free.toSorted((a, b) => load(a) - load(b) || (a.id < b.id ? -1 : 1))[0];
  if (!best) return { hold: "busy", reason: `${names(awake)} ${awake.length === 1 ? "has" : "have"} no free slot` };
  return { to: best.id, places: placesOf(best), reason: why(best, request, free.length) };
}

function load(f: Candidate) {
  return f.busy / f.slots + (f.liveness === "stale" ? 1 : 0);
}

function vp({ kind }: RoutingRequest) {
  return kind === null ? "VP" : `VP ${kind}`;
}

function names(fleet: readonly Candidate[]) {
  return fleet.map((f) => f.name).join(", ");
}

function why(best: Candidate, request: RoutingRequest, choices: number) {
  const parts = [`has a ${vp(request)}`];
  if (request.workspace) parts.push(`has the workspace ${request.workspace}`);
  if (request.factory) parts.push("was asked for");
  else if (choices > 1) parts.push("is the least busy");
  return `${best.name} ${parts.join(", ")}`;
}
