import { describe, expect, it } from "vitest";
import { circleIn } from "#factory/stuck.ts";
import type { Entry } from "#ports/transcript.ts";

let id = 0;
/** A reply with one call and its result. */
function step(input: unknown = { path: "a" }, content = "same", isError = false): Entry[] {
  id += 1;
  const toolUseId = `use_${id}`;
  return [
    {
      type: "assistant",
      content: [
        { type: "text", text: `thought ${id}` },
        { type: "tool_use", id: toolUseId, name: "look", input },
      ],
      stop: "tool_use",
    },
    { type: "result", toolUseId, content, isError },
  ];
}
const talk = (): Entry[] => [
  { type: "assistant", content: [{ type: "text", text: "Hm." }], stop: "end" },
  { type: "user", text: "Nothing was called." },
];
const times = (n: number, make: (i: number) => Entry[]): Entry[] => Array.from({ length: n }, (_, i) => make(i)).flat();

const same = () => step();
const failing = (i: number) => step({ path: "a" }, `error ${i}`, true);
const alternating = (i: number) => step({ path: i % 2 ? "a" : "b" }, i % 2 ? "of a" : "of b");

describe.each([
  ["the same call with the same result", same, 3, 5, "made the same call 5 times"],
  ["the same call that fails, each time otherwise", failing, 3, 5, "made the same failing call 5 times"],
  ["two calls in turn", alternating, 6, 10, "went back and forth between the same two calls for 10 steps"],
])("%s", (_, make, soft, hard, reason) => {
  it("is told once, and ends the run later", () => {
    for (let n = 1; n <= hard + 2; n += 1) {
      const { hint, end } = circleIn(times(n, make));
      expect([n, hint !== null], String(hint)).toEqual([n, n === soft]);
      expect([n, end !== null]).toEqual([n, n >= hard]);
    }
    expect(circleIn(times(hard, make)).end).toContain(reason);
  });

  it("is not told again to a run that was killed after it was", () => {
    const entries = times(soft, make);
    const { hint } = circleIn(entries);
    expect(circleIn([...entries, { type: "user", text: String(hint) }])).toEqual({ hint: null, end: null });
  });

  it("is over when something else is done, and begins anew when the owner said something", () => {
    expect(circleIn([...times(hard, make), ...step({ path: "new" }, "new")])).toEqual({ hint: null, end: null });
    const words: Entry = { type: "user", text: "Go on.", control: "control_1" };
    expect(circleIn([...times(hard, make), words])).toEqual({ hint: null, end: null });
    expect(circleIn([...times(hard, make), words, ...times(soft - 1, make)])).toEqual({ hint: null, end: null });
  });

  it("counts from where it began", () => {
    const before = times(4, (i) => step({ path: String(i) }));
    expect(circleIn([...before, ...times(hard - 1, make)]).end).toBeNull();
    expect(circleIn([...before, ...times(hard, make)]).end).toContain(reason);
  });
});

it("is a circle to talk three times without a call", () => {
  expect(circleIn(times(2, talk))).toEqual({ hint: null, end: null });
  expect(circleIn(times(3, talk)).end).toContain("talked 3 times");
  expect(circleIn([...times(2, talk), ...step(), ...times(2, talk)]).end).toBeNull();
});

it.each<[string, Entry[]]>([
  ["nothing", []],
  ["another input each time", times(12, (i) => step({ path: String(i) }))],
  ["another result each time", times(12, (i) => step({ path: "a" }, String(i)))],
  ["three calls in turn", times(12, (i) => step({ path: String(i % 3) }))],
  ["two calls in turn, one of whose results changes", times(12, (i) => step({ path: String(i % 2) }, i % 2 ? "same" : String(i)))],
])("is no circle: %s", (_, entries) => {
  expect(circleIn(entries)).toEqual({ hint: null, end: null });
});

it("takes no other duration for another result", () => {
  expect(circleIn(times(5, (i) => step({}, `exit 1, 0.${i} s (${i}.5ms) duration_ms ${i}`))).end).toContain("5 times");
});
