/** Headquarters as it is deployed: the Worker's own entry, its Durable Object and its tick, inside workerd. */
import { createExecutionContext, runDurableObjectAlarm, waitOnExecutionContext } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import { joseSigner, joseVerifier } from "#adapters/signer/jose.ts";
import worker from "../../hq-worker/index.ts";

const variables = env as unknown as Record<string, string>;
const { TELEGRAM_OWNER_IDS, TELEGRAM_WEBHOOK_SECRET = "", TEST_CHAT, HQ_SIGNING_KEY = "" } = variables;
const owner = Number(TELEGRAM_OWNER_IDS);
const at = (path: string) => `https://hq.example${path}`;

const from = { id: owner, is_bot: false, first_name: "Owner" };
const saying = (id: number, text: string) => ({
  update_id: id,
  message: { message_id: id, from, chat: { id: owner, first_name: "Owner", type: "private" }, date: 1_790_000_000, text },
});

function webhook(update: object, secret = TELEGRAM_WEBHOOK_SECRET) {
  const headers = { "content-type": "application/json", "x-telegram-bot-api-secret-token": secret };
  return exports.default.fetch(at("/telegram/webhook"), { method: "POST", headers, body: JSON.stringify(update) });
}

/** The owner types; the id of the message. The update about it is sent by the tests themselves. */
async function type(text: string): Promise<number> {
  const headers = { "content-type": "application/json" };
  const reply = await fetch(new URL("/dev/say", TEST_CHAT), { method: "POST", headers, body: JSON.stringify({ text }) });
  const { message } = (await reply.json()) as { message: { id: number } };
  return message.id;
}

/** What the owner sees of the bot. */
async function answers(): Promise<string[]> {
  const reply = await fetch(new URL("/dev/messages", TEST_CHAT));
  const { messages } = (await reply.json()) as { messages: { from: string; text: string }[] };
  return messages.filter((message) => message.from !== "owner").map((message) => message.text);
}

const desk = () => env.DESK.getByName(`chat:${owner}`);

test("is healthy, and runs in workerd", async () => {
  expect(navigator.userAgent).toBe("Cloudflare-Workers");
  expect(await (await exports.default.fetch(at("/health"))).json()).toEqual({ ok: true, factory: "hq", role: "headquarters" });
});

test("serves nothing but what is wrong while a variable is missing", async () => {
  const ctx = createExecutionContext();
  const { DATABASE_URL: _, ...rest } = variables;
  const response = await worker.fetch(new Request(at("/health")) as never, { ...rest, DESK: env.DESK } as never, ctx);
  await waitOnExecutionContext(ctx);
  expect(response.status).toBe(503);
  expect(await response.text()).toContain("DATABASE_URL is not set");
});

test("an update with a wrong secret reaches nobody", async () => {
  expect((await webhook(saying(900, "/help"), "x".repeat(TELEGRAM_WEBHOOK_SECRET.length))).status).toBe(401);
  expect(await runDurableObjectAlarm(desk())).toBe(false);
});

test("a message wakes the chat's desk, which answers it once", async () => {
  const update = saying(await type("/help"), "/help");
  expect((await webhook(update)).status).toBe(200);
  expect((await webhook(update)).status).toBe(200);
  await expect.poll(() => runDurableObjectAlarm(desk()).then(answers), { timeout: 20_000 }).toHaveLength(1);
  expect((await webhook(update)).status).toBe(200);
  await runDurableObjectAlarm(desk());
  expect(await answers()).toEqual([expect.stringContaining("/enrol")]);
});

test("the minute tick runs", async () => {
  await expect(worker.scheduled({} as never, env as never)).resolves.toBeUndefined();
});

test("signs and verifies with workerd's own Ed25519", async () => {
  const signer = await joseSigner(HQ_SIGNING_KEY);
  const proof = await signer.prove("something");
  expect(await joseVerifier().proves(proof, "something", signer.publicKey)).toBe(true);
  expect(await joseVerifier().proves(proof, "something else", signer.publicKey)).toBe(false);
});
