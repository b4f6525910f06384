import { describe, expect, it } from "vitest";
import {
  type CapabilityName,
  type CapabilitySet,
  capabilities,
  capabilityNames,
  defaultCapabilities,
  enabled,
  unmetNeeds,
} from "#core/capability.ts";
import { byline, defaultPersonas, seats } from "#core/persona.ts";
import { roles } from "#core/role.ts";
import { byVp, vpSeats, vps } from "#core/vp.ts";

const setOf = (...on: CapabilityName[]) => Object.fromEntries(capabilityNames.map((name) => [name, on.includes(name)])) as CapabilitySet;

/** All 2^n sets of flags. */
const everySet = Array.from({ length: 2 ** capabilityNames.length }, (_, bits) =>
  setOf(...capabilityNames.filter((__, i) => bits & (1 << i))),
);

describe("the table", () => {
  it("has a row for every name, and the names that the documents promise", () => {
    expect(Object.keys(capabilities).toSorted()).toEqual([...capabilityNames].toSorted());
    expect(capabilityNames.map((name) => capabilities[name].env)).toEqual([
      "ENABLE_VP_CODER",
      "ENABLE_VP_GENERAL",
      "ENABLE_FILES",
      "ENABLE_SHELL",
      "ENABLE_GIT",
      "ENABLE_NETWORK",
    ]);
  });

  it("says each thing once, and something for a person each time", () => {
    for (const key of ["env", "label", "allows"] as const) {
      const values = capabilityNames.map((name) => capabilities[name][key]);
      expect(new Set(values).size).toBe(values.length);
      for (const value of values) expect(value).not.toBe("");
    }
  });

  it("asks of no flag to need itself, however far around", () => {
    const needed = (name: CapabilityName, seen: readonly CapabilityName[] = []): CapabilityName[] =>
      seen.includes(name) ? [...seen, name] : capabilities[name].needs.flatMap((need) => [need, ...needed(need, [...seen, name])]);
    for (const name of capabilityNames) expect(needed(name)).not.toContain(name);
  });
});

describe("defaults", () => {
  it.each(roles)("of %s are complete and hold together", (role) => {
    const set = defaultCapabilities(role);
    expect(Object.keys(set).toSorted()).toEqual([...capabilityNames].toSorted());
    expect(unmetNeeds(set)).toEqual([]);
    for (const name of capabilityNames) expect(set[name]).toBe(capabilities[name].on[role]);
  });
});

describe("unmetNeeds", () => {
  it("names each flag with each need that it lacks", () => {
    expect(unmetNeeds(setOf("coder"))).toEqual([["coder", "files"]]);
    expect(unmetNeeds(setOf("coder", "general", "git"))).toEqual([
      ["coder", "files"],
      ["general", "files"],
      ["git", "files"],
    ]);
    expect(unmetNeeds(setOf())).toEqual([]);
  });

  it("is empty exactly where every need of every flag is on", () => {
    expect(everySet).toHaveLength(64);
    for (const set of everySet) {
      const whole = capabilityNames.every((name) => !set[name] || capabilities[name].needs.every((need) => set[need]));
      expect(unmetNeeds(set).length === 0).toBe(whole);
    }
  });
});

describe("enabled", () => {
  it("lists what is on, in table order", () => {
    expect(enabled(setOf("git", "files"))).toEqual(["files", "git"]);
    for (const set of everySet) expect(setOf(...enabled(set))).toEqual(set);
  });
});

describe("personas", () => {
  it("sit where the corporation put them", () => {
    expect(defaultPersonas).toEqual({
      headquarters: { primary: "Simone", coder: "Codie", general: "HAL" },
      branch: { primary: "Homer", coder: "Lisa", general: "Bart" },
    });
    expect(seats).toEqual(["primary", ...vpSeats]);
  });

  it("are named with the place they write from", () => expect(byline("Lisa", "desk-1")).toBe("Lisa @ desk-1"));

  it("have a capability of their own each", () => {
    for (const seat of vpSeats) expect(capabilities[seat].env).toBe(vps[seat].env);
    expect(byVp((seat) => seat.toUpperCase())).toEqual({ coder: "CODER", general: "GENERAL" });
  });
});
