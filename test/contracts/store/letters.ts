import { expect, it } from "vitest";
import type { Letter } from "#ports/chat.ts";
import type { Bench } from "../store.contract.ts";
import { atOnce } from "./samples.ts";

const content = (text: string) => ({ text, spans: [] });
const text = (key: string, replyTo: string | number | null = null, chat = 7): Letter => ({
  key,
  chat,
  body: {
    kind: "text",
    content: content(key),
    buttons: [],
    silent: false,
    replyTo: replyTo === null ? null : typeof replyTo === "number" ? { message: replyTo } : { letter: replyTo },
  },
});
const edit = (words: string, of = "card"): Letter => ({
  key: `edit of ${of}`,
  chat: 7,
  body: { kind: "edit", of, content: content(words), buttons: [] },
});

export function letterCases(bench: Bench): void {
  const { add, take, sent, retryAt, drop, nextDue } = {
    add: (now: number, ...letters: Letter[]) => bench.store.letters.add(letters, now),
    take: async (now: number, limit = 10) => (await bench.store.letters.take(now, 1000, limit)).map((l) => [l.key, l.refersTo, l.attempts]),
    sent: (key: string, message: number | null, now: number) => bench.store.letters.sent(key, message, now),
    retryAt: (key: string, at: number) => bench.store.letters.retryAt(key, at, "no answer", false),
    drop: (key: string, now: number) => bench.store.letters.drop(key, "refused", now),
    nextDue: () => bench.store.letters.nextDue(),
  };
  const words = async (now: number) =>
    (await bench.store.letters.take(now, 1000, 10)).map((l) => (l.body.kind === "edit" ? l.body.content.text : l.key));
  /** A card that was sent as message 70 at 200. */
  const sentCard = async () => {
    await add(100, text("card"));
    await take(100);
    await sent("card", 70, 200);
  };

  it("delivers whole letters, oldest first, up to the limit", async () => {
    await add(100);
    await add(100, text("b"), text("a"));
    await add(90, text("c", null, 8));
    const taken = await bench.store.letters.take(100, 1000, 2);
    expect(taken.map((l) => l.key)).toEqual(["b", "a"]);
    expect(taken[0]).toEqual({ ...text("b"), refersTo: null, attempts: 1, begun: true, since: 100 });
    expect(await take(100)).toEqual([["c", null, 1]]);
  });

  it("keeps the first of two letters with one key", async () => {
    await add(100, text("a"), text("a", 5));
    await add(100, text("a", 6));
    expect(await take(100)).toEqual([["a", null, 1]]);
    await sent("a", 70, 110);
    await add(120, text("a", 6));
    expect(await take(9999)).toEqual([]);
  });

  it("leases a letter to one taker, until the lease ends", async () => {
    await add(100, text("a"));
    expect((await atOnce(10, () => take(100))).flat()).toHaveLength(1);
    expect(await nextDue()).toBe(1100);
    expect(await take(1099)).toEqual([]);
    expect(await take(1100)).toEqual([["a", null, 2]]);
    await sent("a", 70, 1200);
    expect(await take(9999)).toEqual([]);
    expect(await nextDue()).toBeNull();
  });

  it("leaves one chat alone, letters in a sender's hands included", async () => {
    await add(100, text("a"), text("b"), text("other", null, 8), text("sent"));
    await take(100, 1);
    await sent("sent", 70, 110);
    await bench.store.letters.rest(7, 700);
    expect(await take(699)).toEqual([["other", null, 1]]);
    await sent("other", 80, 699);
    expect(await take(700)).toEqual([
      ["a", null, 2],
      ["b", null, 1],
    ]);
    await retryAt("b", 9000);
    await bench.store.letters.rest(7, 800);
    expect(await take(8999)).toEqual([["a", null, 3]]);
  });

  it("tries again when it was told to", async () => {
    await add(100, text("a"));
    await take(100);
    await retryAt("a", 700);
    expect(await nextDue()).toBe(700);
    expect(await take(699)).toEqual([]);
    expect(await take(700)).toEqual([["a", null, 2]]);
    await drop("a", 800);
    await retryAt("a", 900);
    expect(await take(9999)).toEqual([]);
    expect(await bench.sql("select error, dropped_at from letters")).toEqual([{ error: "refused", dropped_at: 800 }]);
  });

  it("holds a reply back until it knows what it replies to", async () => {
    await add(100, text("card"), text("done", "card"), text("direct", 33));
    expect(await take(100)).toEqual([
      ["card", null, 1],
      ["direct", 33, 1],
    ]);
    await retryAt("card", 5000);
    await sent("direct", 71, 150);
    expect(await take(200)).toEqual([]);
    expect(await nextDue(), "nobody needs to look before the card is due").toBe(5000);
    await take(5000);
    await sent("card", 70, 5100);
    expect(await take(5200)).toEqual([["done", 70, 1]]);
  });

  it("sends a reply alone, and no edit, where the card will never be there", async () => {
    await add(100, text("card"), text("done", "card"), edit("new"), text("orphan", "nothing"));
    await take(100);
    await drop("card", 200);
    await sent("orphan", 72, 200);
    expect(await nextDue()).toBe(100);
    expect(await take(300)).toEqual([["done", null, 1]]);
    expect(await bench.sql("select key, dropped_at from letters where dropped_at is not null order by id")).toEqual([
      { key: "card", dropped_at: 200 },
      { key: "edit of card", dropped_at: 300 },
    ]);
  });

  it("sends a reply alone where the chat did not name the card's message", async () => {
    await add(100, text("card"), text("done", "card"));
    await take(100);
    await sent("card", null, 200);
    expect(await take(300)).toEqual([["done", null, 1]]);
  });

  it("sends only the latest of the edits that wait", async () => {
    await add(100, text("card"), edit("one"));
    await add(110, edit("two"));
    await take(120);
    await sent("card", 70, 200);
    await add(210, edit("three"));
    expect(await bench.store.letters.take(220, 1000, 10)).toEqual([
      { ...edit("three"), refersTo: 70, attempts: 1, begun: true, since: 210 },
    ]);
  });

  it("edits again at the rate that the chat allows, and not for the same words", async () => {
    await sentCard();
    await add(300, edit("one"));
    expect(await words(300)).toEqual(["one"]);
    await sent("edit of card", null, 400);
    await add(500, edit("one"));
    expect(await nextDue()).toBeNull();
    await add(600, edit("two"));
    await add(700, edit("three"));
    expect(await nextDue()).toBe(5400);
    expect(await words(5399)).toEqual([]);
    expect(await words(5400)).toEqual(["three"]);
    await sent("edit of card", null, 5500);
    await add(20_000, edit("four"));
    expect(await nextDue()).toBe(20_000);
  });

  it("sends words that came in while older ones were on their way", async () => {
    await sentCard();
    await add(300, edit("old"));
    expect(await words(300)).toEqual(["old"]);
    await add(350, edit("new"));
    expect(await words(360), "never two at once").toEqual([]);
    await sent("edit of card", null, 400);
    expect(await nextDue()).toBe(5400);
    expect(await words(5400)).toEqual(["new"]);
    await sent("edit of card", null, 5500);
    expect(await nextDue()).toBeNull();
  });

  it("gives up old words without the new ones", async () => {
    await sentCard();
    await add(300, edit("bad"));
    await words(300);
    await add(350, edit("good"));
    await drop("edit of card", 400);
    expect(await words(9999)).toEqual(["good"]);
    await drop("edit of card", 10_000);
    expect(await nextDue()).toBeNull();
    await add(10_100, edit("better"));
    expect(await words(10_100)).toEqual(["better"]);
  });

  it("takes what is new before what changed, and of a chat's changes one in a second", async () => {
    await sentCard();
    await add(300, text("card 2"), text("card 3", null, 8));
    await take(300);
    await sent("card 2", 71, 300);
    await sent("card 3", 72, 300);
    await add(400, edit("one"), edit("two", "card 2"), { ...edit("three", "card 3"), chat: 8 }, text("done", "card"));
    expect(await words(400)).toEqual(["done", "one", "three"]);
    await sent("done", 73, 400);
    expect(await nextDue(), "an ordinary message leaves the edits alone").toBe(400);
    await sent("edit of card 3", null, 450);
    await sent("edit of card", null, 500);
    expect(await words(1499)).toEqual([]);
    expect(await nextDue()).toBe(1500);
    expect(await words(1500)).toEqual(["two"]);
  });

  it("counts a try when it is begun, and not where the chat surely did not take it", async () => {
    await add(100, text("a"), text("b"));
    const [a, b] = await bench.store.letters.take(100, 1000, 10);
    expect([a?.begun, b?.begun]).toEqual([true, false]);
    // The sender died before it came to `b`.
    expect(await take(1100)).toEqual([
      ["a", null, 2],
      ["b", null, 1],
    ]);
    await bench.store.letters.begin("b");
    await bench.store.letters.retryAt("a", 1100, "too many", true);
    await bench.store.letters.retryAt("b", 1100, "no answer", false);
    expect(await take(1100)).toEqual([
      ["a", null, 2],
      ["b", null, 2],
    ]);
  });

  it("never makes an edit of what is not one", async () => {
    await add(100, text("edit of card"));
    await add(100, edit("one"));
    expect((await bench.store.letters.take(100, 1000, 10)).map((l) => l.body.kind)).toEqual(["text"]);
  });

  it("carries documents, reactions and answers", async () => {
    const letters: Letter[] = [
      {
        key: "d",
        chat: 7,
        body: { kind: "document", filename: "a.diff", data: "x'\n\u0001", caption: "c", silent: true, replyTo: { message: 4 } },
      },
      { key: "r", chat: 7, body: { kind: "react", message: 3, emoji: "👀" } },
      { key: "w", chat: 7, body: { kind: "answer", tap: "t1", text: "ok" } },
    ];
    await add(100, ...letters);
    const taken = await bench.store.letters.take(100, 1000, 10);
    expect(taken.map(({ attempts: _, refersTo: __, begun: ___, since: ____, ...letter }) => letter)).toEqual(letters);
    expect(taken.map((l) => l.refersTo)).toEqual([4, null, null]);
  });
}
