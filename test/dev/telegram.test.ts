import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Update } from "grammy/types";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startTelegram, type TelegramOptions, type TelegramStandIn } from "../../dev/telegram/start.ts";

const owner = 4217;
const token = "700100200:AAH-not_a-real-token";
const secret = "a-webhook-secret-of-some-length";

interface Hook {
  url: string;
  got: { update: Update; secret: string | undefined }[];
  /** Statuses of the next answers; 200 after these. -1: cut the connection. */
  script: number[];
  /** Requests open at once, at most, so far. */
  most: number;
  close(): Promise<void>;
}

async function startHook(port = 0): Promise<Hook> {
  let open = 0;
  const hook: Hook = { url: "", got: [], script: [], most: 0, close: async () => {} };
  const server: Server = createServer(async (request, response) => {
    hook.most = Math.max(hook.most, ++open);
    const update = JSON.parse(await bodyOf(request)) as Update;
    hook.got.push({ update, secret: request.headers["x-telegram-bot-api-secret-token"] as string | undefined });
    open -= 1;
    const status = hook.script.shift() ?? 200;
    if (status === -1) request.socket.destroy();
    else response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  hook.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/telegram`;
  hook.close = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return hook;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}

let telegram: TelegramStandIn;
let hook: Hook;
let folder: string;

const start = async (options: Partial<TelegramOptions> = {}) => {
  telegram = await startTelegram({
    botToken: token,
    webhook: { url: hook.url, secret },
    owner: { id: owner, name: "Ann", username: "ann" },
    retry: { firstMs: 10, maxMs: 50 },
    ...options,
  });
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "uac-telegram-"));
  hook = await startHook();
  await start();
});
afterEach(async () => {
  await telegram.close();
  await hook.close();
  rmSync(folder, { recursive: true, force: true });
});

const call = async (method: string, body: unknown = {}, bot = token) => {
  const response = await fetch(`${telegram.apiRoot}/bot${bot}/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { http: response.status, ...((await response.json()) as { ok: boolean; result?: unknown; description?: string }) };
};
const send = (text: string, more: object = {}) => call("sendMessage", { chat_id: owner, text, ...more });
const delivered = () => expect.poll(() => telegram.pending(), { timeout: 10_000 }).toBe(0);

describe("updates", () => {
  test("a text is delivered as Telegram shapes it, with the secret", async () => {
    const { id } = telegram.say("/status of https://example.com please");
    await delivered();
    expect(hook.got).toEqual([
      {
        secret,
        update: {
          update_id: expect.any(Number),
          message: {
            message_id: id,
            from: { id: owner, is_bot: false, first_name: "Ann", username: "ann", language_code: "en" },
            chat: { id: owner, first_name: "Ann", username: "ann", type: "private" },
            date: expect.any(Number),
            text: "/status of https://example.com please",
            entities: [
              { type: "bot_command", offset: 0, length: 7 },
              { type: "url", offset: 11, length: 19 },
            ],
          },
        },
      },
    ]);
    expect(telegram.messages()).toMatchObject([{ id, delivered: true }]);
  });

  test("a reply carries the message it replies to", async () => {
    await send("card", { reply_markup: { inline_keyboard: [[{ text: "Stop", callback_data: "s" }]] } });
    telegram.say("and the docs", telegram.messages()[0]?.id);
    await delivered();
    expect(hook.got[0]?.update.message?.reply_to_message).toMatchObject({ message_id: 1, text: "card", from: { is_bot: true } });
  });

  test("a tap is a callback query on the message, and only on a button that is there", async () => {
    await send("Approve?", { reply_markup: { inline_keyboard: [[{ text: "Once", callback_data: "a:1:o" }]] } });
    const query = telegram.tap(1, "a:1:o");
    await delivered();
    expect(hook.got[0]?.update.callback_query).toMatchObject({ id: query, data: "a:1:o", from: { id: owner }, message: { message_id: 1 } });
    expect(() => telegram.tap(1, "a:1:d")).toThrow("not there any more");
  });

  test("they come one at a time, in order, each again until it is taken", async () => {
    hook.script = [500, 401, -1, 302, 200, 503];
    for (let i = 0; i < 4; i += 1) telegram.say(`message ${i}`);
    await delivered();
    expect(hook.got.map(({ update }) => update.message?.text)).toEqual([
      ...Array(5).fill("message 0"),
      "message 1",
      "message 1",
      "message 2",
      "message 3",
    ]);
    const ids = hook.got.map(({ update }) => update.update_id);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(hook.most).toBe(1);
  });

  test("they wait for a webhook that is away, and it is told why", async () => {
    await call("setWebhook", { url: "http://127.0.0.1:9/telegram" });
    telegram.say("anyone?");
    await expect
      .poll(async () => (await call("getWebhookInfo")).result)
      .toMatchObject({
        pending_update_count: 1,
        last_error_message: expect.stringMatching(/Connection refused|Can't connect/),
      });
    expect(telegram.messages()).toMatchObject([{ delivered: false }]);
    telegram.setWebhook(hook.url, secret);
    await delivered();
    expect(hook.got).toHaveLength(1);
    expect((await call("getWebhookInfo")).result).toMatchObject({ url: hook.url, pending_update_count: 0 });
  });

  test("without a webhook they wait; deleting may drop them", async () => {
    await call("deleteWebhook");
    telegram.say("one");
    await call("deleteWebhook", { drop_pending_updates: true });
    telegram.say("two");
    await call("setWebhook", { url: hook.url, secret_token: secret, allowed_updates: ["message"] });
    await delivered();
    expect(hook.got.map(({ update }) => update.message?.text)).toEqual(["two"]);
  });

  test("no more than a thousand wait: the owner is told", async () => {
    await call("deleteWebhook");
    for (let i = 0; i < 1000; i += 1) telegram.push({ message: undefined as never });
    expect(() => telegram.say("one too many")).toThrow("1000 updates wait");
    expect(telegram.messages()).toEqual([]);
  });
});

describe("a second start with the same state", () => {
  const stateFile = () => join(folder, "chat.jsonl");

  test("shows the same chat, delivers what waited, and gives no id twice", async () => {
    await telegram.close();
    await start({ stateFile: stateFile() });
    telegram.say("first");
    await delivered();
    await send("card", { disable_notification: true, reply_markup: { inline_keyboard: [[{ text: "Stop", callback_data: "s" }]] } });
    await call("editMessageText", { chat_id: owner, message_id: 2, text: "card 2" });
    await call("setMessageReaction", { chat_id: owner, message_id: 1, reaction: [{ type: "emoji", emoji: "👀" }] });
    await call("setMyCommands", { commands: [{ command: "status", description: "How it stands" }] });
    const form = new FormData();
    form.set("chat_id", String(owner));
    form.set("document", new File(["+new\n"], "a.diff"));
    await fetch(`${telegram.apiRoot}/bot${token}/sendDocument`, { method: "POST", body: form });
    await call("deleteWebhook");
    telegram.say("second");
    const before = telegram.messages();

    await telegram.close();
    await start({ stateFile: stateFile() });
    await delivered();
    expect(telegram.messages()).toEqual(before.map((message) => ({ ...message, delivered: true })));
    expect(await (await fetch(new URL(before[2]?.document?.url ?? "", telegram.chatUrl))).text()).toBe("+new\n");
    expect((await call("getMyCommands")).result).toEqual([{ command: "status", description: "How it stands" }]);
    expect(telegram.say("third").id).toBe(5);
    await delivered();
    const [first, second, third] = hook.got.map(({ update }) => update.update_id) as [number, number, number];
    expect([second - first, third - second]).toEqual([1, 1]);
  });

  test("a last line that a kill cut short is forgotten", async () => {
    await telegram.close();
    await start({ stateFile: stateFile() });
    telegram.say("kept");
    await delivered();
    await telegram.close();
    const { appendFileSync } = await import("node:fs");
    appendFileSync(stateFile(), '{"message":{"mess');
    await start({ stateFile: stateFile() });
    expect(telegram.messages()).toMatchObject([{ text: "kept", delivered: true }]);
  });
});

describe("the Bot API on the wire", () => {
  test.each([
    ["a wrong token", () => call("getMe", {}, "1:x"), 401, "Unauthorized"],
    ["an unknown method", () => call("sendTelepathy"), 404, "Not Found: method not found"],
    ["no chat", () => call("sendMessage", { text: "x" }), 400, "Bad Request: chat_id is empty"],
    ["another chat", () => call("sendMessage", { chat_id: 1, text: "x" }), 400, "Bad Request: chat not found"],
    ["an empty text", () => send(" \n "), 400, "Bad Request: message text is empty"],
    ["a text of 4097", () => send("x".repeat(4097)), 400, "Bad Request: message is too long"],
    [
      "half an emoji marked",
      () => send("🙂", { entities: [{ type: "bold", offset: 0, length: 1 }] }),
      400,
      "ends in a middle of a UTF-16 symbol",
    ],
    ["an unknown mark", () => send("x", { entities: [{ type: "blink", offset: 0, length: 1 }] }), 400, "can't parse MessageEntity"],
    ["65 bytes behind a button", () => send("x", keyboard({ callback_data: "ä".repeat(33) })), 400, "Bad Request: BUTTON_DATA_INVALID"],
    ["a button with nothing behind it", () => send("x", keyboard({})), 400, "Text buttons are unallowed"],
    ["a script behind a button", () => send("x", keyboard({ url: "javascript:alert(1)" })), 400, "Wrong HTTP URL"],
    ["a reply to nothing", () => send("x", { reply_parameters: { message_id: 77 } }), 400, "Bad Request: message to be replied not found"],
    ["an edit of nothing", () => call("editMessageText", { chat_id: owner, message_id: 77, text: "x" }), 400, "message to edit not found"],
    ["✅ as a reaction", () => reaction("✅"), 400, "Bad Request: REACTION_INVALID"],
    ["an unknown callback", () => call("answerCallbackQuery", { callback_query_id: "1" }), 400, "query is too old"],
    ["an unknown action", () => call("sendChatAction", { chat_id: owner, action: "dance" }), 400, "wrong parameter action in request"],
    ["a file not known", () => call("getFile", { file_id: "x" }), 400, "wrong file_id or the file is temporarily unavailable"],
    ["a document without one", () => call("sendDocument", { chat_id: owner }), 400, "there is no document in the request"],
    ["a webhook elsewhere without TLS", () => call("setWebhook", { url: "http://example.com" }), 400, "An HTTPS URL must be provided"],
    ["a secret with a space", () => call("setWebhook", { url: hook.url, secret_token: "a b" }), 400, "unallowed characters"],
  ] as const)("%s", async (_, act, status, description) => {
    telegram.say("a message of the owner's");
    expect(await act()).toMatchObject({ ok: false, http: status, error_code: status, description: expect.stringContaining(description) });
    expect(telegram.messages()).toHaveLength(1);
  });

  const keyboard = (button: object) => ({ reply_markup: { inline_keyboard: [[{ text: "B", ...button }]] } });
  const reaction = (emoji: string) => call("setMessageReaction", { chat_id: owner, message_id: 1, reaction: [{ type: "emoji", emoji }] });

  test("the limits themselves are allowed", async () => {
    expect(await send("x".repeat(4096), keyboard({ callback_data: "ä".repeat(32) }))).toMatchObject({ ok: true });
  });

  test("methods come in any case, by GET, and with a form", async () => {
    expect(await (await fetch(`${telegram.apiRoot}/bot${token}/GETME`)).json()).toMatchObject({ result: { id: 700100200, is_bot: true } });
    const query = new URLSearchParams({ chat_id: String(owner), text: "by GET" });
    expect(await (await fetch(`${telegram.apiRoot}/bot${token}/sendMessage?${query}`)).json()).toMatchObject({ ok: true });
    const body = new URLSearchParams({
      chat_id: String(owner),
      text: "by form",
      disable_notification: "true",
      entities: JSON.stringify([{ type: "bold", offset: 0, length: 2 }]),
    });
    expect(await (await fetch(`${telegram.apiRoot}/bot${token}/sendMessage`, { method: "POST", body })).json()).toMatchObject({ ok: true });
    expect(telegram.messages()).toMatchObject([{ text: "by GET" }, { text: "by form", silent: true, entities: [{ type: "bold" }] }]);
  });

  test("an edit that changes nothing is refused as Telegram does; buttons count as content", async () => {
    await send("same", keyboard({ callback_data: "s" }));
    const again = { chat_id: owner, message_id: 1, text: "same" };
    expect(await call("editMessageText", { ...again, ...keyboard({ callback_data: "s" }) })).toMatchObject({
      http: 400,
      description: expect.stringContaining("message is not modified"),
    });
    expect(await call("editMessageText", again)).toMatchObject({ ok: true, result: { text: "same", edit_date: expect.any(Number) } });
    expect(telegram.messages()).toMatchObject([{ buttons: [], editedAt: expect.any(Number) }]);
  });

  test("a document can be fetched again, by who knows the token", async () => {
    const form = new FormData();
    form.set("chat_id", String(owner));
    form.set("document", new File(["+new\n"], "a.diff"));
    const sent = await (await fetch(`${telegram.apiRoot}/bot${token}/sendDocument`, { method: "POST", body: form })).json();
    const { result } = await call("getFile", { file_id: sent.result.document.file_id });
    const path = (result as { file_path: string }).file_path;
    expect(await (await fetch(`${telegram.apiRoot}/file/bot${token}/${path}`)).text()).toBe("+new\n");
    expect((await fetch(`${telegram.apiRoot}/file/bot1:x/${path}`)).status).toBe(404);
  });

  test("floods of messages and of edits are answered 429, each with when to come back", async () => {
    await telegram.close();
    await start({ limits: { sends: { burst: 1, perSecond: 1 / 30 }, edits: { burst: 1, perSecond: 1 / 30 } } });
    const edit = (text: string) => call("editMessageText", { chat_id: owner, message_id: 1, text });
    expect(await send("a")).toMatchObject({ ok: true });
    expect(await edit("b")).toMatchObject({ ok: true });
    for (const refused of [await send("c"), await edit("d")]) {
      expect(refused).toMatchObject({ http: 429, description: "Too Many Requests: retry after 30", parameters: { retry_after: 30 } });
    }
    expect(telegram.messages()).toMatchObject([{ text: "b" }]);
  });
});

describe("who may speak as the owner", () => {
  const say = (headers: Record<string, string>) =>
    fetch(`${telegram.chatUrl}dev/say`, { method: "POST", headers, body: JSON.stringify({ text: "hello" }) });

  test("this machine's programs", async () => {
    expect((await say({ "content-type": "application/json" })).status).toBe(200);
    const { messages } = (await (await fetch(`${telegram.chatUrl}dev/messages`)).json()) as { messages: unknown[] };
    expect(messages).toMatchObject([{ from: "owner", text: "hello" }]);
  });

  test.each([
    ["a form of another page", { "content-type": "text/plain" }, 415],
    ["a script of another page", { "content-type": "application/json", origin: "https://evil.example" }, 403],
    ["a page behind a name that was rebound", { "content-type": "application/json", host: "evil.example" }, 403],
  ])("not %s", async (_, headers, status) => {
    expect(await request(`${telegram.chatUrl}dev/say`, headers)).toBe(status);
    expect(telegram.messages()).toEqual([]);
  });

  test("a document never runs on the page's origin", async () => {
    const form = new FormData();
    form.set("chat_id", String(owner));
    form.set("document", new File(["<script>alert(1)</script>"], "a.html", { type: "text/html" }));
    await fetch(`${telegram.apiRoot}/bot${token}/sendDocument`, { method: "POST", body: form });
    const { headers } = await fetch(new URL(telegram.messages()[0]?.document?.url ?? "", telegram.chatUrl));
    expect(headers.get("content-type")).toBe("application/octet-stream");
    expect(headers.get("content-disposition")).toMatch(/^attachment/);
  });
});

/** `fetch` will not send a Host of one's choice. */
async function request(url: string, headers: Record<string, string>): Promise<number> {
  const { request: open } = await import("node:http");
  return new Promise((resolve, reject) => {
    open(url, { method: "POST", headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end(JSON.stringify({ text: "hello" }));
  });
}
