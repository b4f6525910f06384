import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { telegramChat } from "#adapters/chat/telegram.ts";
import { cutText, entitiesOf, maxText } from "#adapters/chat/telegram-text.ts";
import { rich } from "#core/rich-text.ts";
import type { Chat, LetterBody } from "#ports/chat.ts";
import { startTelegram, type TelegramOptions, type TelegramStandIn } from "../../dev/telegram/start.ts";
import { type ChatUnderTest, chatContract, edit, messageOf, text } from "../contracts/chat.contract.ts";

const owner = 4217;
const token = "700100200:AAH-not_a-real-token";

const start = (options: Partial<TelegramOptions> = {}) =>
  startTelegram({ botToken: token, webhook: null, owner: { id: owner, name: "Ann" }, ...options });

chatContract("telegram", async (): Promise<ChatUnderTest> => {
  const telegram = await start();
  const chat = telegramChat({ token, apiRoot: telegram.apiRoot });
  return {
    chat,
    id: owner,
    async seen() {
      return Promise.all(
        telegram.messages().map(async ({ id, from, text, entities, buttons, silent, editedAt, replyTo, document, reactions }) => ({
          id,
          from,
          text,
          marks: entities.map(({ type, offset, length }): [string, string] => [type, text.slice(offset, offset + length)]),
          buttons: buttons.map((row) =>
            row.map(({ text: label, data, url }) => ({
              label,
              ...(data !== undefined && { tap: data }),
              ...(url !== undefined && { url }),
            })),
          ),
          silent,
          edited: editedAt !== null,
          replyTo: replyTo?.id ?? null,
          document: document && { name: document.name, data: await (await fetch(new URL(document.url, telegram.chatUrl))).text() },
          reactions,
        })),
      );
    },
    write: async (words) => telegram.say(words).id,
    tap: async (message, data) => telegram.tap(message, data),
    answers: () => telegram.answers().map((answer) => answer.text),
    calls: () => telegram.calls().length,
    fail: (how) =>
      telegram.fail(how === "cut_after" ? { kind: how } : { kind: "error", status: how === "later" ? 429 : 502, retryAfter: 7 }),
    stop: telegram.close,
  };
});

describe("telegram's own ways", () => {
  let telegram: TelegramStandIn;
  let chat: Chat;
  const deliver = (body: LetterBody, refersTo: number | null = null) => chat.deliver({ chat: owner, body, refersTo });

  beforeEach(async () => {
    telegram = await start({ strictUrls: true });
    chat = telegramChat({ token, apiRoot: telegram.apiRoot, timeoutS: 5 });
  });
  afterEach(() => telegram.close());

  test("what a flood is answered with is waited for, and no message is lost or doubled", async () => {
    await telegram.close();
    telegram = await start({ limits: { sends: { burst: 2, perSecond: 1 / 60 } } });
    chat = telegramChat({ token, apiRoot: telegram.apiRoot });
    const outcomes = [];
    for (let i = 0; i < 5; i += 1) outcomes.push(await deliver(text(`message ${i}`)));
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, false, false, false]);
    expect(outcomes[2]).toMatchObject({ why: "retry", afterMs: 60_000, error: expect.stringContaining("Too Many Requests") });
    expect(telegram.messages()).toHaveLength(2);
  });

  test("previews are always off", async () => {
    let sent: unknown;
    const watching = telegramChat({
      token,
      apiRoot: telegram.apiRoot,
      fetch: (address, init) => {
        sent = JSON.parse(String(init?.body));
        return fetch(address, init);
      },
    });
    const id = messageOf(await watching.deliver({ chat: owner, body: text("see https://example.com"), refersTo: null }));
    expect(sent).toMatchObject({ link_preview_options: { is_disabled: true } });
    messageOf(await watching.deliver({ chat: owner, body: edit("see https://example.org"), refersTo: id }));
    expect(sent).toMatchObject({ link_preview_options: { is_disabled: true } });
  });

  test("text whose entities are refused goes plain", async () => {
    telegram.fail({ kind: "error", status: 400, description: "Bad Request: can't parse entities: unsupported" });
    messageOf(await deliver(text({ as: "bold", text: "marked" })));
    expect(telegram.messages()).toMatchObject([{ text: "marked", entities: [] }]);
    expect(telegram.calls()).toHaveLength(2);
  });

  test("a link that Telegram will not put on a button goes into the text", async () => {
    const buttons = [
      [
        { label: "Stop", tap: "s:1" },
        { label: "Open", url: "http://localhost:8787/tasks/1" },
      ],
    ];
    const id = messageOf(await deliver(text("x".repeat(maxText), { buttons })));
    expect(telegram.messages()).toMatchObject([{ buttons: [[{ text: "Stop", data: "s:1" }]] }]);
    expect(telegram.messages()[0]?.text).toMatch(/…\(cut\)\n\nOpen: http:\/\/localhost:8787\/tasks\/1$/);
    messageOf(await deliver(edit("done", buttons), id));
    expect(telegram.messages()[0]?.text).toBe("done\n\nOpen: http://localhost:8787/tasks/1");
  });

  test("a refusal is tried no further than each part once", async () => {
    telegram.fail({ kind: "error", status: 400, description: "Bad Request: BUTTON_URL_INVALID entity", times: 10 });
    expect(await deliver(text("x"))).toMatchObject({ ok: false, why: "refused" });
    expect(telegram.calls()).toHaveLength(3);
  });

  test.each([
    ["a proxy's page", { kind: "html", status: 502 }],
    ["an outage", { kind: "error", status: 500 }],
    ["a connection cut before", { kind: "cut_before" }],
    ["no answer at all", { kind: "hang" }],
  ] as const)("%s leaves the outcome unknown", async (_, fault) => {
    telegram.fail(fault);
    const timeoutS = fault.kind === "hang" ? 0.2 : 5;
    const waiting = telegramChat({ token, apiRoot: telegram.apiRoot, timeoutS });
    const outcome = await waiting.deliver({ chat: owner, body: text("a"), refersTo: null });
    expect(outcome).toMatchObject({ ok: false, why: "unknown", afterMs: expect.any(Number) });
    expect(telegram.messages()).toEqual([]);
  });

  test("a wrong token is waited out: the letter is not to blame", async () => {
    const wrong = telegramChat({ token: "700100200:another", apiRoot: telegram.apiRoot });
    expect(await wrong.deliver({ chat: owner, body: text("a"), refersTo: null })).toMatchObject({ ok: false, why: "retry" });
  });

  test("the token is in no error, even where the address is", async () => {
    const [id, secret] = token.split(":") as [string, string];
    const fails = [
      () =>
        Promise.reject(new TypeError(`fetch failed for ${telegram.apiRoot}/bot${token}/sendMessage`, { cause: new Error(`bot${token}`) })),
      () => Promise.reject(new TypeError(`bad address bot${id}%3A${secret}`)),
      () => Promise.resolve(Response.json({ ok: false, error_code: 404, description: `no bot ${token}` })),
    ];
    for (const fail of fails) {
      const outcome = await telegramChat({ token, fetch: fail }).deliver({ chat: owner, body: text("a"), refersTo: null });
      expect(outcome).toMatchObject({ ok: false, error: expect.stringContaining("[bot token]") });
      expect(JSON.stringify(outcome)).not.toContain(secret);
    }
    await telegram.close();
    expect(JSON.stringify(await deliver(text("a")))).not.toContain(secret);
  });

  test("a document of half a megabyte passes", async () => {
    const data = `+${"x".repeat(80)}\n`.repeat(6000);
    messageOf(await deliver({ kind: "document", filename: "big.diff", data, caption: "y".repeat(2000), silent: false, replyTo: null }));
    expect(telegram.messages()).toMatchObject([{ document: { size: data.length } }]);
    expect(telegram.messages()[0]?.text).toHaveLength(1024);
  });
});

describe("marked text within limits", () => {
  const piece = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 40 }),
    fc.record({ as: fc.constantFrom("bold" as const, "code" as const), text: fc.string({ unit: "grapheme-composite", maxLength: 40 }) }),
    fc.constantFrom("\n", "🙂"),
  );
  const content = fc.array(piece, { maxLength: 30 }).map((pieces) => rich(...pieces));

  test("a cut text fits, keeps its beginning, says that it was cut, and breaks no character", () => {
    fc.assert(
      fc.property(content, fc.integer({ min: 20, max: 300 }), (given, max) => {
        const cut = cutText(given, max);
        expect(cut.text.length).toBeLessThanOrEqual(max);
        if (given.text.length <= max) expect(cut).toEqual(given);
        else {
          expect(cut.text.endsWith("\n…(cut)")).toBe(true);
          const kept = cut.text.slice(0, -"\n…(cut)".length);
          expect(given.text.startsWith(kept)).toBe(true);
          expect(kept.isWellFormed()).toBe(given.text.isWellFormed());
        }
      }),
    );
  });

  test("marks stay on the words they were put on", () => {
    fc.assert(
      fc.property(content, fc.integer({ min: 20, max: 300 }), (given, max) => {
        const cut = cutText(given, max);
        for (const span of cut.spans) {
          const marked = cut.text.slice(span.offset, span.offset + span.length);
          expect(given.spans.some((s) => s.type === span.type && s.offset === span.offset && given.text.startsWith(marked, s.offset))).toBe(
            true,
          );
        }
      }),
    );
  });

  test("whatever the spans, the entities are inside the text, not empty, in order and on whole characters", () => {
    const span = fc.record({
      type: fc.constantFrom("bold" as const, "pre" as const),
      offset: fc.integer({ min: -5, max: 60 }),
      length: fc.integer({ min: -5, max: 60 }),
    });
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-composite", maxLength: 30 }), fc.array(span, { maxLength: 8 }), (words, spans) => {
        const entities = entitiesOf({ text: words, spans });
        for (const [i, { offset, length }] of entities.entries()) {
          expect(offset).toBeGreaterThanOrEqual(entities[i - 1]?.offset ?? 0);
          expect(length).toBeGreaterThan(0);
          expect(offset + length).toBeLessThanOrEqual(words.length);
          expect(words.slice(offset, offset + length).isWellFormed()).toBe(words.isWellFormed());
        }
      }),
    );
  });
});
