import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { joseSigner, newKeyPair } from "#adapters/signer/jose.ts";
import type { Body } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { paths } from "#core/hq-api.ts";
import { delegate } from "#factory/delegate.ts";
import { makeJoinCode } from "#factory/enrol.ts";
import { secretsOf } from "#factory/profile.ts";
import { seal } from "#factory/seal.ts";
import { hqEnv, owner, resultOf, wish } from "../factory/headquarters.ts";
import { quietBeat } from "../support/heartbeats.ts";
import { digest, message, type Office, openOffice, tap } from "./office.ts";

let b: Office;
beforeEach(async () => {
  b = await openOffice();
});
afterEach(() => b.close());

const unread = () =>
  ({
    body: new ReadableStream(
      {
        pull() {
          throw new Error("somebody read the body");
        },
      },
      { highWaterMark: 0 },
    ),
    method: "POST",
    duplex: "half",
  }) as RequestInit;

describe("the webhook", () => {
  it.each([
    ["none", {}],
    ["an empty one", { "x-telegram-bot-api-secret-token": "" }],
    ["a wrong one", { "x-telegram-bot-api-secret-token": "x".repeat((hqEnv.TELEGRAM_WEBHOOK_SECRET ?? "").length) }],
    ["its beginning", { "x-telegram-bot-api-secret-token": (hqEnv.TELEGRAM_WEBHOOK_SECRET ?? "").slice(0, -1) }],
    ["more than it", { "x-telegram-bot-api-secret-token": `${hqEnv.TELEGRAM_WEBHOOK_SECRET}x` }],
  ])("with %s for a secret is refused, its body unread", async (_, headers) => {
    const response = await b.request("/telegram/webhook", { ...unread(), headers } as RequestInit);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: "unauthenticated", message: "The webhook secret is missing or wrong" });
    expect(await b.rows("select * from inbound_updates")).toEqual([]);
  });

  it("stores the owner's message whole, and wakes the desk", async () => {
    expect((await b.webhook(message(1, "Hello"))).status).toBe(200);
    expect(await b.rows("select id, inbound_json ->> '$.text' as text, finished_at from inbound_updates")).toEqual([
      { id: 1, text: "Hello", finished_at: null },
    ]);
    expect(b.rings).toEqual([[owner, undefined]]);
  });

  it("takes one update twice, also at once, as one", async () => {
    await Promise.all([1, 2, 3].map(() => b.webhook(message(1, "/help"))));
    expect(await b.rows("select id from inbound_updates")).toHaveLength(1);
    await b.work();
    expect(await b.letters()).toHaveLength(1);
    const { length } = b.rings;
    expect((await b.webhook(message(1, "/help"))).status).toBe(200);
    expect(b.rings, "a finished one wakes nobody").toHaveLength(length);
  });

  it("wakes the desk again for an update that was not finished", async () => {
    await b.webhook(message(1, "Hello"));
    await b.webhook(message(1, "Hello"));
    expect(b.rings).toHaveLength(2);
  });

  it.each<[string, string, number]>([
    ["more than 256 KB", JSON.stringify(message(1, "x".repeat(256 * 1024))), 413],
    ["deep JSON", "[".repeat(5000), 400],
    ["no JSON", "hello", 400],
  ])("refuses %s", async (_, body, status) => {
    expect((await b.webhook(body)).status).toBe(status);
    expect(await b.rows("select * from inbound_updates")).toEqual([]);
  });

  it.each<[string, unknown]>([
    ["a stranger under the owner's name", message(1, "Hi", { from: { id: 1, is_bot: false, first_name: "Alice", username: "alice" } })],
    ["the owner in a group", message(1, "Hi", { chat: { id: -5, type: "group" } })],
    ["on behalf of a chat", message(1, "Hi", { sender_chat: { id: -5, type: "channel" } })],
    ["another bot", message(1, "Hi", { from: { id: owner, is_bot: true, first_name: "Bot" } })],
    ["nothing that is known", { update_id: 1, poll: {} }],
  ])("ignores %s, and says 200 so that it is not sent again", async (_, update) => {
    expect((await b.webhook(update)).status).toBe(200);
    expect(await b.rows("select * from inbound_updates")).toEqual([]);
    expect(b.rings).toEqual([]);
  });

  it("tells the owner what can't be read, once", async () => {
    const photo = message(1, "", { photo: [] });
    await b.webhook(photo);
    await b.webhook(photo);
    expect(await b.letters()).toEqual([[expect.stringContaining("unread:"), expect.stringContaining("I can read text only")]]);
    expect(b.rings).toHaveLength(2);
  });

  it("answers 503 while the database is away, so that Telegram tries again", async () => {
    b.client.close();
    const response = await b.webhook(message(1, "Hello"));
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: "store_unavailable" });
    expect(b.rings).toEqual([]);
  });
});

describe("what factories ask", () => {
  const beat = (facts: Body<"heartbeat">["facts"]) => quietBeat(facts);

  it("a claim is granted once, and a replay of it refused", async () => {
    const desk = await b.join();
    await delegate(b.hq, wish());
    const [order] = await desk.orders();
    const claim = await desk.sealed("claim", { task: "t1-1-1", epoch: 1, order: order?.id ?? "" });
    expect(await (await b.post(paths.claim, claim)).json()).toMatchObject({ resumed: false, token: expect.any(String) });
    const replay = await b.post(paths.claim, claim);
    expect(replay.status).toBe(409);
    expect(await replay.json()).toEqual({ from: "headquarters", error: "conflict", message: "This request was heard before" });
  });

  it("a heartbeat is heard, and hands out what waits for the factory", async () => {
    await delegate(b.hq, wish());
    const desk = await b.join();
    expect(await (await b.post(paths.heartbeat, await desk.sealed("heartbeat", beat(desk.facts)))).json()).toMatchObject({
      status: "active",
    });
    await b.settled();
    expect((await b.task()).state).toBe("dispatched");
  });

  it.each(["denied", "down"] as const)(
    "a heartbeat that calls the bus %s has the factory's streams opened again, after the answer",
    async (bus) => {
      const desk = await b.join();
      const beats = async (changed: Partial<Body<"heartbeat">>) =>
        b.count(async () => {
          const response = await b.post(paths.heartbeat, await desk.sealed("heartbeat", quietBeat(desk.facts, changed)));
          expect(response.status).toBe(200);
          await b.settled();
        });
      expect((await beats({})).bus).toBe(0);
      expect((await beats({ bus })).bus).toBe(1);
      b.bus.fail("open", "before");
      await beats({ bus });
      expect(b.lines.join("\n")).toContain("could not let a factory on the bus again");
    },
  );

  it("a doorbell has what lies on the bus settled and told, and the desk woken for the rest", async () => {
    const desk = await b.join();
    await delegate(b.hq, wish());
    const [order] = await desk.orders();
    await b.post(paths.claim, await desk.sealed("claim", { task: "t1-1-1", epoch: 1, order: order?.id ?? "" }));
    await desk.say("result", resultOf());
    expect((await b.post(paths.doorbell, await desk.sealed("doorbell", { reason: "result" }))).status).toBe(202);
    await b.settled();
    expect((await b.task()).state).toBe("succeeded");
    expect(b.chat.texts()[0]).toContain("Fix the tests");
    expect(b.rings.at(-1)).toEqual([owner, expect.any(Number)]);
  });

  it.each<[string, (stranger: Awaited<ReturnType<typeof joseSigner>>) => Promise<string>, number, string]>([
    ["nothing", async () => "", 400, "bad_envelope"],
    ["noise", async () => "a.b.c", 400, "bad_envelope"],
    ["another kind", async () => (await b.join("desk-2")).sealed("doorbell", { reason: "result" }), 400, "bad_envelope"],
    [
      "an unknown key",
      async (stranger) =>
        (await seal({ ...b.hq, self: "desk-1", signer: stranger }, "heartbeat", beat((await b.join()).facts), { aud: "hq", corr: null }))
          .jws,
      401,
      "unauthenticated",
    ],
    [
      "a known key under another name",
      async () => {
        const desk = await b.join();
        return (await seal({ ...b.hq, self: "desk-9", signer: desk.signer }, "heartbeat", beat(desk.facts), { aud: "hq", corr: null })).jws;
      },
      400,
      "bad_envelope",
    ],
    [
      "a message for somebody else",
      async () => (await b.join()).sealed("heartbeat", beat((await b.join("desk-2")).facts), "desk-2"),
      400,
      "bad_envelope",
    ],
    [
      "one that is too old",
      async () => {
        const desk = await b.join();
        const jws = await desk.sealed("heartbeat", beat(desk.facts));
        await b.clock.advance(121_000);
        return jws;
      },
      400,
      "bad_envelope",
    ],
    [
      "a retired factory",
      async () => {
        const desk = await b.join();
        await b.store.factories.setStatus("desk-1", "retired", b.clock.now());
        return desk.sealed("heartbeat", beat(desk.facts));
      },
      403,
      "forbidden",
    ],
    ["too much", async () => "x".repeat(256 * 1024 + 1), 413, "too_large"],
  ])("%s is refused at the heartbeat, and changes nothing", async (_, make, status, error) => {
    const body = await make(await joseSigner((await newKeyPair()).privateJwk));
    const before = await b.snapshot();
    const response = await b.post(paths.heartbeat, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error });
    await b.settled();
    expect(await b.snapshot()).toEqual(before);
  });

  it("a request to join is taken with a code, and shown to the owner", async () => {
    const code = await makeJoinCode(b.hq, digest, { id: "desk-1", name: "desk-1", role: "branch" });
    const signer = await joseSigner((await newKeyPair()).privateJwk);
    const proof = await signer.prove(await digest.hash(code));
    const body = { code, factory: "desk-1", name: "desk-1", role: "branch", key: signer.publicKey, proof };
    const response = await b.post(paths.enrol, JSON.stringify(body));
    expect(await response.json()).toMatchObject({ status: "pending", fingerprint: digest.fingerprint(signer.kid) });
    await b.settled();
    expect(b.chat.texts()).toEqual([expect.stringContaining("desk-1 asks to join")]);
    expect((await b.post(paths.enrol, JSON.stringify(body))).status).toBe(409);
    for (const [changed, status] of [
      [{ ...body, admin: true }, 400],
      [{ ...body, key: {} }, 400],
    ] as const) {
      expect((await b.post(paths.enrol, JSON.stringify(changed))).status).toBe(status);
    }
    expect((await b.post(paths.enrol, "x".repeat(17_000))).status).toBe(413);
  });
});

describe("what anyone may read", () => {
  it("is its health, its capabilities and the dashboard's door", async () => {
    expect(await (await b.request("/health")).json()).toEqual({ ok: true, factory: "hq", role: "headquarters" });
    const page = await b.request("/capabilities.md");
    expect(page.headers.get("content-type")).toContain("text/markdown");
    expect(await page.text()).toContain("| VP_CODER | Enabled |");
    expect(await (await b.request("/tasks/x")).text()).toBe("the dashboard");
  });

  it("is never a secret, whatever fails", async () => {
    const secrets = Object.entries(secretsOf(hqEnv));
    for (const [name, secret] of secrets) {
      const broken = { ...b.store.updates, receive: () => Promise.reject(new UacError("internal", `can't use ${secret}`)) };
      b.context.hq = { ...b.hq, store: { ...b.store, updates: broken } };
      const response = await b.webhook(message(1, "Hello"));
      expect(response.status).toBe(500);
      expect(await response.text()).toContain(`[${name}]`);
      const foreign = { ...b.store.updates, receive: () => Promise.reject(new Error(`at ${secret}`)) };
      b.context.hq = { ...b.hq, store: { ...b.store, updates: foreign } };
      expect(await (await b.webhook(message(1, "Hello"))).json()).toEqual({
        from: "headquarters",
        error: "internal",
        message: "Something went wrong inside; the log has the cause.",
      });
    }
    for (const line of b.lines) for (const [, secret] of secrets) expect(line).not.toContain(secret);
    expect(b.lines.length).toBeGreaterThan(0);
  });
});

it("a tap is stored like a message", async () => {
  await b.webhook(tap(1, "stop:t9-9-9"));
  expect(await b.work()).toBe(1);
  expect(await b.letters()).toEqual([["answer:1", "There is no such task."]]);
});
