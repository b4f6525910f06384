/** The pure parts: what a patch, a timeline and a duration are turned into. */
import { describe, expect, it } from "vitest";
import { filesOf } from "../../dashboard/diff.tsx";
import type { Attempt, StoryLine, TaskRecord } from "../../dashboard/panels/task.query.ts";
import { measured, plain, span } from "../../dashboard/text.ts";
import { hop, phasesOf } from "../../dashboard/timeline.tsx";
import { patch } from "./seed.ts";

describe("a patch", () => {
  it("is split by file, its lines by kind", () => {
    const files = filesOf(patch);
    expect(files.map(({ path, added, removed }) => ({ path, added, removed }))).toEqual([
      { path: "src/sum.js", added: 1, removed: 1 },
      { path: "README.md", added: 2, removed: 0 },
    ]);
    expect(files[0]?.runs.map((run) => [run.kind, run.lines.length])).toEqual([
      ["hunk", 1],
      ["same", 2],
      ["del", 1],
      ["add", 1],
      ["same", 2],
    ]);
  });

  it("counts lines that look like a header as what they are inside a hunk", () => {
    const [file, ...others] = filesOf(
      "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n--- old title\n+++ new title\n+diff --git a/y b/y\n",
    );
    expect(others).toEqual([]);
    expect(file).toMatchObject({ path: "x", added: 2, removed: 1 });
  });

  it("keeps what a change without lines says", () => {
    const [renamed] = filesOf("diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n");
    expect(renamed).toMatchObject({ path: "y", runs: [{ kind: "hunk", lines: ["rename from x", "rename to y"] }] });
    expect(filesOf("whatever this is\n")).toMatchObject([{ path: "patch", runs: [] }]);
  });
});

describe("a timeline", () => {
  const task = (part: Partial<TaskRecord>) => ({ receivedAt: 0, createdAt: 3000, endedAt: null, state: "running", ...part }) as TaskRecord;
  const attempt = (part: Partial<Attempt>) => ({ epoch: 1, claimedAt: null, endedAt: null, ...part }) as Attempt;
  const short = (phases: ReturnType<typeof phasesOf>) => phases.map((phase) => `${phase.kind} ${phase.from}-${phase.to}`);

  it("of a lost and a good attempt has no gap", () => {
    const attempts = [
      attempt({ epoch: 1, dispatchedAt: 4000, claimedAt: 5000, endedAt: 9000 }),
      attempt({ epoch: 2, dispatchedAt: 12_000, claimedAt: 12_500, endedAt: 20_000 }),
    ];
    expect(short(phasesOf(task({ state: "succeeded", endedAt: 20_000 }), attempts, 99_000))).toEqual([
      "intake 0-3000",
      "queue 3000-4000",
      "delivery 4000-5000",
      "run 5000-9000",
      "queue 9000-12000",
      "delivery 12000-12500",
      "run 12500-20000",
    ]);
  });

  it("of what goes on ends now", () => {
    expect(short(phasesOf(task({ state: "queued" }), [], 10_000))).toEqual(["intake 0-3000", "queue 3000-10000"]);
    expect(short(phasesOf(task({}), [attempt({ dispatchedAt: 3000, claimedAt: 4000 })], 10_000))).toEqual([
      "intake 0-3000",
      "delivery 3000-4000",
      "run 4000-10000",
    ]);
    expect(short(phasesOf(task({ state: "dispatched" }), [attempt({ dispatchedAt: 3000 })], 10_000))).toEqual([
      "intake 0-3000",
      "delivery 3000-10000",
    ]);
    expect(
      short(phasesOf(task({ state: "queued" }), [attempt({ dispatchedAt: 3000, claimedAt: 4000, endedAt: 5000 })], 10_000)).at(-1),
    ).toBe("queue 5000-10000");
  });

  it("of what never left the queue ends with it", () => {
    expect(short(phasesOf(task({ state: "cancelled", endedAt: 8000 }), [], 99_000))).toEqual(["intake 0-3000", "queue 3000-8000"]);
  });

  it("never compares the clocks of two machines", () => {
    const line = (part: Partial<StoryLine>) => ({ at: 0, originAt: null, factory: null, ...part }) as StoryLine;
    const claimed = line({ at: 5000, factory: "desk-1" });
    const started = line({ at: 9000, originAt: 700_000, factory: "desk-1" });
    const step = line({ at: 9000, originAt: 701_500, factory: "desk-1" });
    expect(hop(started, claimed, 0)).toBe(4000);
    expect(hop(step, started, 0)).toBe(1500);
    expect(hop(claimed, undefined, 1000)).toBe(4000);
  });
});

it("says durations as a person would", () => {
  expect([0, 59_999, 60_000, 7_500_000, 7_200_000, 172_799_999, 172_800_000, -5].map(span)).toEqual([
    "0 s",
    "59 s",
    "1 min",
    "2 h 5 min",
    "2 h",
    "47 h 59 min",
    "2 d",
    "0 s",
  ]);
  expect([43, 1800, 9999, 52_400, 200_000, 2_700_000].map(measured)).toEqual(["43 ms", "1.8 s", "10.0 s", "52 s", "3 min 20 s", "45 min"]);
});

it("keeps tabs, line ends and joined emoji; a lone carriage return is shown", () => {
  expect(plain("a\tb\nc\r\nd 👩‍💻")).toBe("a\tb\nc\nd 👩‍💻");
  expect(plain("safe\rrm")).toBe("safe⟨U+000D⟩rm");
  expect(plain("\u001b]0;title\u0007x\u001b[1;32mok\u001b[0m")).toBe("xok");
});
