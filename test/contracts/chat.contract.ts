/** What every chat must do with a letter, whatever carries it. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bold, code, rich } from "#core/rich-text.ts";
import type { Button, Chat, Delivered, Delivery, LetterBody } from "#ports/chat.ts";

/** A message as the person in the chat sees it. */
export interface Seen {
  id: number;
  from: "owner" | "bot";
  text: string;
  /** What is marked: type and marked text. */
  marks: [type: string, text: string][];
  buttons: Button[][];
  silent: boolean;
  edited: boolean;
  replyTo: number | null;
  document: { name: string; data: string } | null;
  reactions: string[];
}

export interface ChatUnderTest {
  chat: Chat;
  /** Where the bot may write. */
  id: number;
  seen(): Promise<Seen[]>;
  /** The person writes; resolves to the message's id. */
  write(text: string): Promise<number>;
  /** The person taps; resolves to what an `answer` letter needs. */
  tap(message: number, data: string): Promise<string>;
  /** Short texts that were shown in answer to taps. */
  answers(): string[];
  /** Calls that reached the chat's service so far. */
  calls(): number;
  /** Makes the next call end so: refused for now, broken inside, or cut off after it was done. */
  fail(how: "later" | "broken" | "cut_after"): void;
  stop(): Promise<void>;
}

export const text = (
  content: string | Parameters<typeof rich>[0],
  more: Partial<Extract<LetterBody, { kind: "text" }>> = {},
): LetterBody => ({
  kind: "text",
  content: rich(content),
  buttons: [],
  silent: false,
  replyTo: null,
  ...more,
});

export const edit = (content: string, buttons: Button[][] = []): LetterBody => ({
  kind: "edit",
  of: "card",
  content: rich(content),
  buttons,
});

export function messageOf(outcome: Delivered): number {
  if (!outcome.ok || outcome.message === null) throw new Error(`no message came of it: ${JSON.stringify(outcome)}`);
  return outcome.message;
}

export function chatContract(name: string, start: () => Promise<ChatUnderTest>) {
  describe(`chat contract: ${name}`, () => {
    let under: ChatUnderTest;
    let deliver: (body: LetterBody, refersTo?: number | null) => Promise<Delivered>;
    const only = async () => (await under.seen()).at(-1) as Seen;

    beforeEach(async () => {
      under = await start();
      deliver = (body, refersTo = null) => under.chat.deliver({ chat: under.id, body, refersTo } satisfies Delivery);
    });
    afterEach(() => under.stop());

    test("a text arrives as written, with its marks and buttons", async () => {
      const content = rich("Tests: ", bold("12 passed 🙂"), " in ", code("npm test"), "\nnot *bold* <b>either</b>");
      const buttons = [[{ label: "Stop", tap: "s:tk_1" }], [{ label: "Open", url: "https://example.com/t/1" }]];
      const id = messageOf(await deliver({ kind: "text", content, buttons, silent: false, replyTo: null }));
      expect(await only()).toMatchObject({
        id,
        from: "bot",
        text: content.text,
        marks: [
          ["bold", "12 passed 🙂"],
          ["code", "npm test"],
        ],
        buttons,
        silent: false,
        edited: false,
        replyTo: null,
      });
    });

    test("silent stays silent, loud is loud", async () => {
      await deliver(text("card", { silent: true }));
      await deliver(text("done"));
      expect((await under.seen()).map(({ silent }) => silent)).toEqual([true, false]);
    });

    test("a reply quotes its message, and is sent without where that is gone", async () => {
      const asked = await under.write("do it");
      messageOf(await deliver(text("on it"), asked));
      expect((await only()).replyTo).toBe(asked);
      messageOf(await deliver(text("done"), 999_999));
      expect(await only()).toMatchObject({ text: "done", replyTo: null });
    });

    test("an edit replaces text and buttons, in the same message", async () => {
      const id = messageOf(await deliver(text("running", { buttons: [[{ label: "Stop", tap: "s" }]] })));
      expect(await deliver(edit("finished"), id)).toEqual({ ok: true, message: id });
      expect(await under.seen()).toHaveLength(1);
      expect(await only()).toMatchObject({ id, text: "finished", buttons: [], edited: true });
    });

    test("an edit that changes nothing is well", async () => {
      const id = messageOf(await deliver(text("same")));
      expect(await deliver(edit("same"), id)).toEqual({ ok: true, message: id });
    });

    test("an edit of a message that is not there is refused, and of one not known is not tried", async () => {
      expect(await deliver(edit("x"), 999_999)).toMatchObject({ ok: false, why: "refused" });
      const before = under.calls();
      expect(await deliver(edit("x"), null)).toMatchObject({ ok: false, why: "refused" });
      expect(under.calls()).toBe(before);
    });

    test("a document arrives byte for byte, with its name and caption", async () => {
      const data = "--- a/ä.ts\n+++ b/ä.ts\r\n-old\n+new 🙂\n";
      const id = messageOf(
        await deliver({ kind: "document", filename: "changes.diff", data, caption: "1 file", silent: true, replyTo: null }),
      );
      expect(await only()).toMatchObject({ id, text: "1 file", silent: true, document: { name: "changes.diff", data } });
    });

    test("an empty document and an odd name arrive all the same", async () => {
      const odd = 'a "b"; c\r\nx: y/../ä.md';
      messageOf(await deliver({ kind: "document", filename: odd, data: "", caption: "", silent: false, replyTo: null }));
      const { document } = await only();
      expect(document?.data).not.toBe("");
      expect(document?.name).toMatch(/\.md$/);
      expect(document?.name).not.toMatch(/[\s"/;]/);
    });

    test("a reaction shows under the message, once however often it is sent", async () => {
      const id = await under.write("fix it");
      const react: LetterBody = { kind: "react", message: id, emoji: "👀" };
      expect(await deliver(react)).toEqual({ ok: true, message: null });
      expect(await deliver(react)).toEqual({ ok: true, message: null });
      expect((await only()).reactions).toEqual(["👀"]);
    });

    test("a tap is answered once", async () => {
      const id = messageOf(await deliver(text("Approve?", { buttons: [[{ label: "Once", tap: "a:ap_1:o" }]] })));
      const tap = await under.tap(id, "a:ap_1:o");
      expect(await deliver({ kind: "answer", tap, text: "Approved" })).toEqual({ ok: true, message: null });
      expect(under.answers()).toEqual(["Approved"]);
      expect(await deliver({ kind: "answer", tap, text: "Approved" })).toMatchObject({ ok: false, why: "refused" });
    });

    test("a text that is too long is cut, and says so", async () => {
      const lines = Array.from({ length: 400 }, (_, i) => `line ${i} 🙂 of the log`).join("\n");
      messageOf(await deliver(text(bold(lines))));
      const { text: shown, marks } = await only();
      expect(shown.length).toBeLessThanOrEqual(4096);
      expect(shown).toMatch(/of the log\n…\(cut\)$/);
      expect(marks).toEqual([["bold", shown.replace(/\n…\(cut\)$/, "")]]);
    });

    test("a chat the bot is not in is refused", async () => {
      expect(await under.chat.deliver({ chat: 4_242_424, body: text("hello"), refersTo: null })).toMatchObject({
        ok: false,
        why: "refused",
      });
    });

    test("what is refused for now says when to try again", async () => {
      under.fail("later");
      expect(await deliver(text("a"))).toMatchObject({ ok: false, why: "retry", afterMs: 7000 });
      expect(await under.seen()).toEqual([]);
    });

    test.each(["broken", "cut_after"] as const)("where nobody knows whether it arrived (%s) the outcome is unknown", async (how) => {
      under.fail(how);
      expect(await deliver(text("a"))).toMatchObject({ ok: false, why: "unknown" });
      expect(await under.seen()).toHaveLength(how === "cut_after" ? 1 : 0);
      messageOf(await deliver(text("a")));
    });
  });
}
