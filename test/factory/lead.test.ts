import { expect, it } from "vitest";
import { defaultCapabilities } from "#core/capability.ts";
import { defaultPersonas } from "#core/persona.ts";
import { assign } from "#factory/lead.ts";

const capabilities = defaultCapabilities("branch");
const desk = { name: "Desk", personas: defaultPersonas.branch, capabilities };
const noCoder = { ...desk, capabilities: { ...capabilities, coder: false } };
const nobody = { ...desk, capabilities: { ...capabilities, coder: false, general: false } };
const order = (title: string, kind: "coder" | "general" | null = null) => ({ title, instruction: "", kind });

it("follows the order's kind of work, whatever its words", () => {
  expect(assign(order("Explain this", "coder"), desk)).toEqual({ seat: "coder", persona: "Lisa", reason: "the order is for a VP coder" });
  expect(assign(order("Fix the bug", "general"), desk)).toMatchObject({ seat: "general", persona: "Bart" });
});

it.each([
  ["Fix the failing tests", "coder"],
  ["Explain why the sky is blue", "general"],
  ["Explain the bug in the parser function and refactor it", "coder"],
  ["Something", "general"],
  ["", "general"],
])("gives %j to the VP %s, with a reason", (title, seat) => {
  const assigned = assign(order(title), desk);
  expect(assigned.seat).toBe(seat);
  expect(assigned.reason).not.toBe("");
});

it("counts words of the instruction too, and whole words only", () => {
  expect(assign({ ...order("Please"), instruction: "The BUILD fails and the lint too." }, desk).seat).toBe("coder");
  expect(assign(order("a prefixed latest attestation"), desk).seat).toBe("general");
});

it("gives everything to the only VP here", () => {
  expect(assign(order("Fix the bug"), noCoder)).toEqual({ seat: "general", persona: "Bart", reason: "Bart is the only VP here" });
});

it("has no way to a VP that was pruned", () => {
  expect(() => assign(order("Fix the bug", "coder"), noCoder)).toThrow(
    expect.objectContaining({ code: "bad_config", message: expect.stringContaining("Desk has no VP coder") }),
  );
  expect(() => assign(order("Fix the bug"), nobody)).toThrow(expect.objectContaining({ code: "bad_config" }));
});
