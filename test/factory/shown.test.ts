/** What a model is sent of a transcript that holds images. */
import { expect, it } from "vitest";
import { toMessages } from "#factory/shown.ts";
import type { Entry } from "#ports/transcript.ts";

it("an image goes along with its result, and goes with it where outputs are left out to make room", () => {
  const images = [{ type: "image" as const, mediaType: "image/png" as const, data: "AAAA" }];
  const entries: Entry[] = [
    { type: "user", text: "Look." },
    { type: "assistant", content: [{ type: "tool_use", id: "c1", name: "read", input: { path: "a.png" } }], stop: "tool_use" },
    { type: "result", toolUseId: "c1", content: "a.png: 1 × 1", isError: false, images },
  ];
  const result = (more: readonly Entry[]) => toMessages([...entries, ...more]).at(-1)?.content[0];
  expect(result([])).toEqual({ type: "tool_result", id: "c1", content: "a.png: 1 × 1", isError: false, images });
  const pruned = result([{ type: "compaction", from: 0, pruned: 3, summary: null }]);
  expect(pruned).toEqual({ type: "tool_result", id: "c1", content: expect.stringMatching(/^a\.png.*\n.*left out.*again/), isError: false });
});
