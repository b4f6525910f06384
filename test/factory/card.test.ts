/** What a task's card and its completion say, at moments when nobody works on it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Flag } from "#core/evidence.ts";
import { noTotal } from "#core/ledger.ts";
import type { Receipt } from "#core/receipt.ts";
import { cancelTask } from "#factory/cancel.ts";
import { completionLetters } from "#factory/card.ts";
import { delegate } from "#factory/delegate.ts";
import { deliverLetters } from "#factory/deliver.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import { replay } from "#factory/replay.ts";
import { storyOf } from "../../hq-worker/tools/story.ts";
import { receipt } from "../contracts/store/samples.ts";
import { type HqBench, openHq, wish } from "./headquarters.ts";
import { openQueue } from "./queue-bench.ts";

let b: HqBench;
beforeEach(async () => {
  b = await openHq();
});
afterEach(() => b.close());

async function lastText() {
  // What answers a letter goes out after it.
  await deliverLetters(b.hq);
  await deliverLetters(b.hq);
  // The question whether a held task shall wait is not its card.
  return b.chat.texts().findLast((text) => !/^.* – held: /.test(text)) ?? "";
}

it("says why a task waits in the queue, not what its title says already", async () => {
  await b.join();
  for (const id of ["t1-1-1", "t1-1-2", "t1-1-3"]) await delegate(b.hq, wish({ id }));
  expect(await lastText()).toBe("Fix the tests\n⏳ queued\ndesk-1 has no free slot\nSimone @ HQ · t1-1-3");
});

it("says when a waiting task is held, and when it is no more", async () => {
  const desk = await b.join();
  for (const id of ["t1-1-1", "t1-1-2", "t1-1-3"]) await delegate(b.hq, wish({ id }));
  await b.clock.advance(20 * 60_000);
  await dispatchAll(b.hq);
  expect(await b.task("t1-1-3")).toMatchObject({ state: "held", code: "offline" });
  expect(await lastText()).toMatch(/✋ held\ndesk-1 is offline/);

  await desk.beat();
  await dispatchAll(b.hq);
  await b.clock.advance(5000);
  expect(await lastText()).toMatch(/⏳ queued\ndesk-1 has no free slot/);
});

it("says when a held task goes out", async () => {
  const desk = await b.join();
  await b.clock.advance(20 * 60_000);
  await delegate(b.hq, wish());
  expect(await lastText()).toMatch(/✋ held\ndesk-1 is offline/);
  await desk.beat();
  await dispatchAll(b.hq);
  await b.clock.advance(5000);
  expect(await lastText()).toMatch(/📨 sent to the factory · … @ desk-1\ndesk-1 has a VP coder/);
});

it("is signed by headquarters where no factory took the task in", async () => {
  await b.join();
  await delegate(b.hq, wish());
  await lastText();
  await cancelTask(b.hq, "t1-1-1", "cancelled by the owner");
  await lastText();
  const texts = b.chat.texts();
  expect(texts.find((text) => text.startsWith("🚫 cancelled:"))).toMatch(/\nSimone @ HQ · /);
  expect(texts.find((text) => text.includes("\n🚫 cancelled"))).toBe(
    "Fix the tests\n🚫 cancelled\ncancelled by the owner\nSimone @ HQ · t1-1-1",
  );
});

it("says that a task starts with the owner's uncommitted changes, and so does its order and its repetition", async () => {
  const desk = await b.join();
  await delegate(b.hq, wish({ withEdits: true }));
  expect(await lastText()).toContain("with your uncommitted changes");
  expect((await desk.orders())[0]?.body).toMatchObject({ withEdits: true });
  await cancelTask(b.hq, "t1-1-1", "cancelled");
  await replay(b.hq, { id: "t1-1-1", update: { id: 9, receivedAt: b.clock.now() }, message: 9, name: "Ann" });
  expect(await b.task("t9-r")).toMatchObject({ withEdits: true });
  await delegate(b.hq, wish({ id: "t2-1-1" }));
  expect((await desk.orders())[1]?.body).not.toHaveProperty("withEdits");
});

it("tells at the end what the work began with, and that it was not set up", async () => {
  await b.join();
  await delegate(b.hq, wish());
  const task = await b.task();
  const began: Receipt = {
    ...receipt,
    replayed: { from: "a".repeat(40), files: 2, left: [".env", "big.bin"] },
    setup: { command: "npm ci", hosts: [], digest: "d", state: "ran", by: "Ann", exitCode: 1, durationMs: 2000, tail: "" },
  };
  const [done] = task ? completionLetters(b.hq, { ...task, receipt: began }, noTotal) : [];
  const text = done?.body.kind === "text" ? done.body.content.text : "";
  expect(text).toContain("on top of your 2 uncommitted changes; left out: .env, big.bin");
  expect(text).toContain("not set up: npm ci ended with 1 after 2.0 s");
});

describe("what was seen of the tests", () => {
  const flags: Flag[] = [
    { kind: "tests_skipped", text: "tests are skipped that were not: a.test.ts" },
    { kind: "tests_edited", text: "existing tests were edited: a.test.ts" },
  ];
  const why = "the tests pass, but tests are skipped that were not: a.test.ts";
  async function ended(changed: Partial<Receipt>) {
    const q = await openQueue();
    await q.ask("task1");
    await q.claim("task1");
    await q.done("task1", { receipt: { ...receipt, ...changed } });
    const [completion, card, story] = [await q.said("done:task1"), await q.said("card-edit:task1"), await storyOf(q.hq, "task1")];
    q.close();
    return { completion, card, story };
  }

  it("stands on card, completion and story; what the reason says is not said twice", async () => {
    const { completion, card, story } = await ended({ verdict: "unverified", why, flags });
    expect(completion).toContain(`unverified: ${why}\nℹ️ existing tests were edited: a.test.ts\n`);
    expect(story).toContain(`\nunverified: ${why}\nℹ️ existing tests were edited: a.test.ts\n`);
    expect(card).toContain("\n⚠️ tests are skipped that were not: a.test.ts\n");
    expect(card).not.toContain("edited");
  });

  it("is told where the verdict rests on more than it", async () => {
    const { completion } = await ended({ why: "the tests pass, also as they were before this work changed them", flags });
    expect(completion).toContain("changed them\n⚠️ tests are skipped that were not: a.test.ts\nℹ️ existing tests were edited: a.test.ts\n");
  });

  it("is not mentioned where there was nothing", async () => {
    const said = await ended({ flags: [] });
    for (const text of Object.values(said)) expect(text).not.toMatch(/⚠️|ℹ️/);
  });
});
