import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Control, controlSchema, instructionWith, standing } from "#core/control.ts";
import { longestInstruction } from "#core/limits.ts";

const attempt = { task: "t1-1-1", epoch: 1 };
const told = (seq: number, wish: Partial<Control> & Pick<Control, "do">) =>
  ({ id: `ctl_${seq}`, seq, ...attempt, ...wish }) as Extract<Control, { task: string }>;

describe("what was said about an attempt", () => {
  it("is nothing at first", () =>
    expect(standing([])).toEqual({ cancel: null, paused: false, steers: [], raises: [], approvals: [], finish: null }));

  it("is the same in whatever order it came", () => {
    const wishes = fc.array(fc.constantFrom("pause", "resume", "steer"), { maxLength: 8 });
    fc.assert(
      fc.property(wishes, fc.infiniteStream(fc.nat()), (all, luck) => {
        const said = all.map((wish, i) => told(i + 1, wish === "steer" ? { do: wish, text: `say ${i}` } : { do: wish }));
        const heard = said.map((control) => ({ control, at: luck.next().value })).toSorted((a, b) => a.at - b.at);
        const { paused, steers } = standing(heard.map(({ control }) => control));
        expect(paused).toBe(all.findLast((wish) => wish !== "steer") === "pause");
        expect(steers).toEqual(said.filter((control) => control.do === "steer"));
      }),
    );
  });

  it("keeps the first reason for an end, and an end is never taken back", () => {
    const said = [told(3, { do: "resume" }), told(2, { do: "cancel", reason: "twice" }), told(1, { do: "cancel", reason: "once" })];
    expect(standing(said).cancel).toBe("once");
  });
});

it("an instruction grows until an order could carry it no more", () => {
  expect(instructionWith("Fix it.", "Use tabs.")).toBe("Fix it.\n\n[Added by the owner later:]\nUse tabs.");
  expect(instructionWith("x".repeat(longestInstruction - 50), "y".repeat(50))).toBeNull();
});

it.each([
  [{ do: "pause", id: "ctl_1", ...attempt }, "without a number"],
  [{ do: "drain", id: "ctl_1", seq: 1, ...attempt }, "a task where the factory is meant"],
  [{ do: "steer", id: "ctl_1", seq: 1, ...attempt, text: "" }, "nothing said"],
  [{ do: "dance", id: "ctl_1", seq: 1 }, "an unknown deed"],
])("%j is refused: %s", (control, _) => expect(controlSchema.safeParse(control).success).toBe(false));
