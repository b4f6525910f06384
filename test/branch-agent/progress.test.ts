/** When headquarters is rung for a line of a task's story. */
import { expect, it } from "vitest";
import { manualClock } from "#adapters/clock/manual.ts";
import { hqClock } from "../../branch-agent/hq-clock.ts";
import { progressTeller } from "../../branch-agent/progress.ts";
import { openBranch } from "../factory/branch.ts";
import { startMs } from "../factory/headquarters.ts";

it("it is rung at once, then every 3 s at most, and a clock that is set back by hours holds up no ring", async () => {
  const own = manualClock(startMs);
  const clock = hqClock(own);
  const b = await openBranch({ clock });
  const rung: number[] = [];
  b.branch.hq.ring = async () => void rung.push(own.now() - startMs);
  const over = new AbortController();
  const progress = progressTeller(b.branch, over.signal);
  const tell = async () => {
    progress.tell({ task: "t1-1-1", epoch: 1 }, "step", "Lisa", "goes on");
    await progress.settled();
  };
  const passed = async (ms: number, rings: number) => {
    await own.advance(ms);
    await expect.poll(() => rung).toHaveLength(rings);
  };
  await tell();
  await passed(0, 1);
  await tell();
  await own.advance(2999);
  expect(rung).toEqual([0]);
  await passed(1, 2);
  clock.follow(startMs - 5 * 3_600_000);
  await tell();
  await passed(3000, 3);
  expect(rung).toEqual([0, 3000, 6000]);
  over.abort();
  await b.close();
});
