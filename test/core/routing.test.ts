import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CapabilityName, type CapabilitySet, capabilityNames } from "#core/capability.ts";
import { livenesses } from "#core/fleet.ts";
import { type Candidate, type HoldCode, prefetch, type RoutingRequest, route } from "#core/routing.ts";

const setOf = (...on: CapabilityName[]) => Object.fromEntries(capabilityNames.map((name) => [name, on.includes(name)])) as CapabilitySet;

const desk = (id: string, change: Partial<Candidate> = {}): Candidate => ({
  ...{
    id,
    name: id.toUpperCase(),
    liveness: "online",
    capabilities: setOf("coder", "general", "files"),
    workspaces: ["shop"],
    slots: 2,
    busy: 0,
  },
  ...change,
});
const ask = (change: Partial<RoutingRequest> = {}): RoutingRequest => ({ kind: "coder", workspace: "shop", factory: null, ...change });

const held = (request: RoutingRequest, ...fleet: Candidate[]) => {
  const result = route(request, fleet);
  return "hold" in result ? [result.hold, result.reason] : ["sent", result.to];
};
const sent = (request: RoutingRequest, ...fleet: Candidate[]) => {
  const result = route(request, fleet);
  return "to" in result ? result.to : result.hold;
};

describe("holds, each with its reason", () => {
  it("no_factory", () => {
    expect(held(ask())).toEqual(["no_factory", "no factory is enrolled"]);
    expect(held(ask(), desk("a", { liveness: "pending" }), desk("b", { liveness: "retired" }))).toEqual([
      "no_factory",
      "no factory is enrolled",
    ]);
    expect(held(ask({ factory: "moe" }), desk("a"))).toEqual(["no_factory", "no factory is called moe"]);
    expect(held(ask({ factory: "a" }), desk("a", { liveness: "retired" }))).toEqual(["no_factory", "no factory is called a"]);
  });

  it("no_capability", () => {
    const general = { capabilities: setOf("general") };
    expect(held(ask(), desk("a", general), desk("b", general))).toEqual(["no_capability", "no VP coder on A, B"]);
    expect(held(ask({ kind: null }), desk("a", { capabilities: setOf("files", "shell", "git") }))).toEqual(["no_capability", "no VP on A"]);
    expect(held(ask({ factory: "a" }), desk("a", general), desk("b"))).toEqual(["no_capability", "no VP coder on A"]);
  });

  it("no_workspace", () => {
    expect(held(ask({ workspace: "bank" }), desk("a"), desk("b", { workspaces: [] }))).toEqual([
      "no_workspace",
      "no workspace bank on A, B",
    ]);
    expect(held(ask(), desk("a", { workspaces: [] }), desk("b", { capabilities: setOf("general") }))).toEqual([
      "no_workspace",
      "no workspace shop on A",
    ]);
    expect(held(ask({ workspace: "sho" }), desk("a"))[0]).toBe("no_workspace");
  });

  it("offline: each factory with what it is", () => {
    expect(held(ask(), desk("a", { liveness: "offline" }))).toEqual(["offline", "A is offline"]);
    expect(held(ask(), desk("a", { liveness: "draining" }), desk("b", { liveness: "paused" }))).toEqual([
      "offline",
      "A is draining, B is paused",
    ]);
    expect(held(ask(), desk("a", { liveness: "offline" }), desk("b", { workspaces: [] }))).toEqual(["offline", "A is offline"]);
  });

  it("busy", () => {
    expect(held(ask(), desk("a", { busy: 3 }))).toEqual(["busy", "A has no free slot"]);
    expect(held(ask(), desk("a", { busy: 3 }), desk("b", { busy: 9 }))).toEqual(["busy", "A, B have no free slot"]);
  });
});

describe("choosing", () => {
  it("lets a factory hold one order more than it has slots", () => {
    expect(prefetch).toBe(1);
    expect(sent(ask(), desk("a", { slots: 1, busy: 1 }))).toBe("a");
    expect(sent(ask(), desk("a", { slots: 1, busy: 2 }))).toBe("busy");
  });

  it("takes the least busy, by share of its slots", () => {
    expect(sent(ask(), desk("a", { slots: 2, busy: 1 }), desk("b", { slots: 4, busy: 1 }))).toBe("b");
    expect(sent(ask(), desk("a", { slots: 4, busy: 3 }), desk("b", { slots: 1, busy: 1 }))).toBe("a");
  });

  it("takes a stale one only where the others are fuller by a whole load", () => {
    expect(sent(ask(), desk("a", { liveness: "stale" }), desk("b", { busy: 1 }))).toBe("b");
    expect(sent(ask(), desk("a", { liveness: "stale" }))).toBe("a");
    expect(sent(ask(), desk("a", { liveness: "stale" }), desk("b", { slots: 1, busy: 1 }))).toBe("a");
    expect(sent(ask(), desk("a", { liveness: "stale", busy: 1 }), desk("b", { slots: 1, busy: 1 }))).toBe("b");
  });

  it("breaks ties by id, whatever the order and the language of the machine", () => {
    const fleet = ["desk-b", "desk-a", "desk1", "deska"].map((id) => desk(id));
    expect(sent(ask(), ...fleet)).toBe("desk-a");
    expect(sent(ask(), ...fleet.toReversed())).toBe("desk-a");
  });

  it("finds the one that the owner named, by id or name, and no other", () => {
    expect(sent(ask({ factory: "b" }), desk("a"), desk("b", { busy: 2 }))).toBe("b");
    expect(sent(ask({ factory: "B" }), desk("a"), desk("b", { busy: 2 }))).toBe("b");
    expect(sent(ask({ factory: "b" }), desk("a"), desk("b", { busy: 3 }))).toBe("busy");
    expect(sent(ask({ factory: "b" }), desk("a"), desk("b", { liveness: "offline" }))).toBe("offline");
  });

  it("asks for no workspace where the task needs none", () => {
    expect(sent(ask({ workspace: null }), desk("a", { workspaces: [] }))).toBe("a");
  });

  it("takes any VP where the primary is to choose", () => {
    expect(sent(ask({ kind: null }), desk("a", { capabilities: setOf("general") }))).toBe("a");
    expect(sent(ask({ kind: null }), desk("a", { capabilities: setOf("coder") }))).toBe("a");
    expect(sent(ask({ kind: "general" }), desk("a", { capabilities: setOf("coder") }))).toBe("no_capability");
  });

  it("says why", () => {
    expect(route(ask(), [desk("a")])).toEqual({ to: "a", places: 3, reason: "A has a VP coder, has the workspace shop" });
    expect(route(ask(), [desk("a"), desk("b")])).toEqual({
      to: "a",
      places: 3,
      reason: "A has a VP coder, has the workspace shop, is the least busy",
    });
    expect(route(ask({ kind: null, workspace: null, factory: "a" }), [desk("a"), desk("b")])).toEqual({
      to: "a",
      places: 3,
      reason: "A has a VP, was asked for",
    });
  });
});

describe("any fleet", () => {
  const candidate: fc.Arbitrary<Candidate> = fc.record({
    id: fc.constantFrom("a", "b", "c", "d"),
    name: fc.constantFrom("Homer", "Lisa", "Bart", "Moe"),
    liveness: fc.constantFrom(...livenesses),
    capabilities: fc.subarray([...capabilityNames]).map((on) => setOf(...on)),
    workspaces: fc.subarray(["shop", "bank"]),
    slots: fc.integer({ min: 1, max: 3 }),
    busy: fc.integer({ min: 0, max: 5 }),
  });
  const fleet = fc.uniqueArray(candidate, { selector: ({ id }) => id, maxLength: 4 });
  const request: fc.Arbitrary<RoutingRequest> = fc.record({
    kind: fc.constantFrom("coder", "general", null),
    workspace: fc.constantFrom("shop", "bank", null),
    factory: fc.constantFrom("a", "b", "Lisa", null),
  });

  /** Each reason to refuse one factory, in the order in which a fleet is narrowed. */
  const faults = (wish: RoutingRequest, f: Candidate): (HoldCode | null)[] => [
    ["pending", "retired"].includes(f.liveness) || (wish.factory !== null && ![f.id, f.name].includes(wish.factory)) ? "no_factory" : null,
    (wish.kind === null ? f.capabilities.coder || f.capabilities.general : f.capabilities[wish.kind]) ? null : "no_capability",
    wish.workspace === null || f.workspaces.includes(wish.workspace) ? null : "no_workspace",
    ["online", "stale"].includes(f.liveness) ? null : "offline",
    f.busy <= f.slots ? null : "busy",
  ];
  const order: HoldCode[] = ["no_factory", "no_capability", "no_workspace", "offline", "busy"];

  it("sends to one that nothing speaks against, or holds for the step that left nobody", () =>
    fc.assert(
      fc.property(request, fleet, (wish, all) => {
        const result = route(wish, all);
        const good = all.filter((f) => faults(wish, f).every((fault) => fault === null));
        if ("to" in result) {
          expect(good.map(({ id }) => id)).toContain(result.to);
        } else {
          expect(good).toEqual([]);
          const furthest = Math.max(0, ...all.map((f) => faults(wish, f).findIndex((fault) => fault !== null)));
          expect(result.hold).toBe(order[furthest]);
        }
        expect(result.reason).not.toBe("");
      }),
      { numRuns: 500 },
    ));

  it("is routed alike in whatever order it is listed", () =>
    fc.assert(
      fc.property(request, fleet, (wish, all) => {
        const [one, other] = [route(wish, all), route(wish, all.toReversed())];
        expect("to" in one ? one : one.hold).toEqual("to" in other ? other : other.hold);
      }),
    ));
});
