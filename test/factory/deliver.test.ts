import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rich } from "#core/rich-text.ts";
import { delegate } from "#factory/delegate.ts";
import { again, deliverLetters } from "#factory/deliver.ts";
import type { Chat, Delivered, LetterBody } from "#ports/chat.ts";
import { type HqBench, hqEnv, openHq, owner, resultOf, settleResult, wish } from "./headquarters.ts";

let b: HqBench;
beforeEach(async () => {
  b = await openHq();
});
afterEach(() => b.close());

const text = (words: string): LetterBody => ({ kind: "text", content: rich(words), buttons: [], silent: false, replyTo: null });
const add = (key: string, body = text(key), chat = owner) => b.store.letters.add([{ key, chat, body }], b.clock.now());
const rows = () => b.rows("select key, sent_at is not null as sent, dropped_at is not null as dropped, error from letters order by id");
const retry = (afterMs = 0): Delivered => ({ ok: false, why: "retry", afterMs, error: "too many" });
const unknown: Delivered = { ok: false, why: "unknown", afterMs: 0, error: "no answer" };
const refused: Delivered = { ok: false, why: "refused", error: "chat not found" };
const flushAt = async (ms: number) => {
  await b.clock.advance(ms);
  b.chat.delivered.length = 0;
  await deliverLetters(b.hq);
  return b.chat.texts();
};

describe("deliverLetters", () => {
  it("sends what is due once, oldest first", async () => {
    for (const key of ["a", "b", "c"]) await add(key);
    await Promise.all([deliverLetters(b.hq), deliverLetters(b.hq)]);
    expect(b.chat.texts()).toEqual(["a", "b", "c"]);
    expect(await flushAt(1e6)).toEqual([]);
  });

  it("lets a letter go that the chat refuses, and sends the next", async () => {
    await add("a");
    await add("b");
    b.chat.outcomes.push(refused);
    await deliverLetters(b.hq);
    expect(await rows()).toEqual([
      { key: "a", sent: 0, dropped: 1, error: "chat not found" },
      { key: "b", sent: 1, dropped: 0, error: "" },
    ]);
  });

  it("sends again what may not have arrived", async () => {
    await add("a");
    b.chat.outcomes.push(unknown);
    await deliverLetters(b.hq);
    expect(await flushAt(1999)).toEqual([]);
    expect(await flushAt(1)).toEqual([`a\n${again}`]);
  });

  it("leaves the whole chat alone for as long as it asks, and others not; then goes on in order", async () => {
    for (const key of ["a", "b", "c"]) await add(key);
    await add("other", text("other"), 4712);
    b.chat.outcomes.push(retry(30_000));
    await deliverLetters(b.hq);
    expect(b.chat.texts()).toEqual(["other"]);
    const first = await b.store.letters.nextDue();
    expect(first).toBe(b.clock.now() + 30_000);
    expect(await flushAt(29_999)).toEqual([]);
    expect(await flushAt(1)).toEqual(["a", "b", "c"]);
  });

  it("withholds what can't be cleaned of secrets, and goes on later", async () => {
    await add("a");
    await add("b");
    const { clean } = b.hq.redactor;
    const redactor = {
      ...b.hq.redactor,
      clean(words: string) {
        if (words.startsWith("a")) throw new Error("the scanner broke");
        return clean(words);
      },
    };
    for (let i = 0; i < 7; i += 1) {
      await deliverLetters({ ...b.hq, redactor });
      await b.clock.advance(300_000);
    }
    expect(b.chat.texts()).toEqual(["b"]);
  });

  it("does not let one letter that always fails hold up its chat for ever", async () => {
    await add("poison");
    for (let i = 0; i < 5; i += 1) {
      b.chat.outcomes.push(unknown);
      await deliverLetters(b.hq);
      await b.clock.advance(300_000);
    }
    await add("next");
    b.chat.outcomes.push(unknown);
    await deliverLetters(b.hq);
    expect(b.chat.texts()).toEqual(["next"]);
  });

  it("asks a chat that is away for two letters at most, however long it is", async () => {
    for (let i = 0; i < 6; i += 1) await add(`letter ${i}`);
    for (let round = 0; round < 12; round += 1) {
      b.chat.outcomes.push(...Array.from({ length: 12 }, () => unknown));
      const { letters } = await b.count(() => deliverLetters(b.hq));
      expect(letters).toBeLessThanOrEqual(2);
      b.chat.outcomes.length = 0;
      await b.clock.advance(300_000);
    }
    await deliverLetters(b.hq);
    expect(b.chat.texts()).toHaveLength(6);
  });

  it("begins no send that could outlast the lease", async () => {
    for (const key of ["a", "b", "c"]) await add(key);
    const slow: Chat = {
      async deliver(delivery) {
        await b.clock.advance(20_000);
        return b.chat.deliver(delivery);
      },
    };
    await deliverLetters({ ...b.hq, chat: slow });
    expect(b.chat.texts()).toEqual(["a", "b"]);
    expect(await flushAt(30_000)).toEqual(["c"]);
  });

  it("sends no more than it has calls for", async () => {
    for (let i = 0; i < 8; i += 1) await add(`letter ${i}`);
    b.limits.calls = b.counts.sql + 20;
    const used = await b.count(() => deliverLetters(b.hq));
    expect(used.letters).toBe(3);
    expect(used.sql + used.letters).toBeLessThanOrEqual(20);
    b.limits.calls = b.counts.sql + b.counts.letters;
    expect(await b.count(() => deliverLetters(b.hq))).toEqual({ sql: 0, bus: 0, letters: 0, model: 0 });
  });

  it("is told that a completion arrived: the end of a task's story", async () => {
    await b.join();
    await delegate(b.hq, wish());
    await deliverLetters(b.hq);
    await b.client.execute("update tasks set state = 'running'");
    await settleResult(b.hq, "desk-1", resultOf());
    await deliverLetters(b.hq);
    expect((await b.store.tasks.events("t1-1-1")).at(-1)).toMatchObject({ kind: "told" });
    const [, done, edit] = b.chat.delivered;
    expect(edit).toMatchObject({ body: { kind: "edit" }, refersTo: 1001 });
    expect(done).toMatchObject({ body: { kind: "text", silent: false }, refersTo: 1001 });
  });
});

describe("secrets in letters", () => {
  const secret = hqEnv.ANTHROPIC_API_KEY ?? "";
  it.each<[string, LetterBody]>([
    [
      "text",
      { ...text(""), content: { text: `key ${secret}`, spans: [{ type: "bold", offset: 4, length: secret.length }] } } as LetterBody,
    ],
    ["document", { kind: "document", filename: "a.diff", data: `+${secret}`, caption: secret, silent: true, replyTo: null }],
    ["answer", { kind: "answer", tap: "1", text: secret }],
    ["encoded", text(Buffer.from(`x${secret}`).toString("base64"))],
  ])("never leave: %s", async (_, body) => {
    await add("a", body);
    await deliverLetters(b.hq);
    const sent = JSON.stringify(b.chat.delivered);
    expect(sent).toContain("[ANTHROPIC_API_KEY]");
    expect(sent).not.toContain(secret);
    const [delivery] = b.chat.delivered;
    if (delivery?.body.kind === "text") expect(delivery.body.content.spans).toEqual([]);
  });
});
