import { expect, it } from "vitest";
import { isStuck, maxRepeats } from "#factory/stuck.ts";
import type { Entry } from "#ports/transcript.ts";

let id = 0;
/** A reply with one call of `look` and its result. */
function step(input: unknown = { path: "a" }, content = "same", name = "look"): Entry[] {
  id += 1;
  const toolUseId = `use_${id}`;
  return [
    {
      type: "assistant",
      content: [
        { type: "text", text: `thought ${id}` },
        { type: "tool_use", id: toolUseId, name, input },
      ],
      stop: "tool_use",
    },
    { type: "result", toolUseId, content, isError: false },
  ];
}
const steps = (n: number, make: (i: number) => Entry[] = () => step()): Entry[] => Array.from({ length: n }, (_, i) => make(i)).flat();

it("is stuck after the same calls with the same results, whatever it says meanwhile", () => {
  expect(isStuck(steps(maxRepeats - 1))).toBe(false);
  expect(isStuck(steps(maxRepeats))).toBe(true);
  expect(isStuck([...steps(3, (i) => step({ path: String(i) })), ...steps(maxRepeats)])).toBe(true);
});

it.each<[string, Entry[]]>([
  ["nothing", []],
  ["another input in between", steps(maxRepeats, (i) => step({ path: i === 2 ? "b" : "a" }))],
  ["another result in between", steps(maxRepeats, (i) => step({}, i === 2 ? "new" : "same"))],
  ["another tool in between", steps(maxRepeats, (i) => step({}, "same", i === 2 ? "read" : "look"))],
  ["something else at the end", [...steps(maxRepeats), ...step({ path: "b" })]],
  ["replies without a call", steps(maxRepeats, () => [{ type: "assistant", content: [{ type: "text", text: "Hm." }], stop: "end" }])],
])("is not stuck: %s", (_, entries) => {
  expect(isStuck(entries)).toBe(false);
});
