/** The bridge between the real Telegram and a webhook on this machine, held to the stand-in's wire. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { bridgeTelegram } from "../../dev/box/telegram-bridge.ts";
import { startTelegram } from "../../dev/telegram/start.ts";

const botToken = `12345:${"x".repeat(35)}`;
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Got {
  secret: unknown;
  update: { update_id: number; message: { text: string } };
}

/** A webhook that answers `status` until told otherwise. */
async function listen(got: Got[], answer: { status: number }) {
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    got.push({ secret: request.headers["x-telegram-bot-api-secret-token"], update: JSON.parse(Buffer.concat(chunks).toString()) });
    response.writeHead(answer.status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

async function bridged(answer: { status: number }) {
  const telegram = await startTelegram({ botToken, webhook: null, owner: { id: 7, name: "Owner" } });
  closers.push(telegram.close);
  const got: Got[] = [];
  const lines: string[] = [];
  const webhook = await listen(got, answer);
  const bridge = bridgeTelegram({
    token: botToken,
    apiRoot: telegram.apiRoot,
    webhook,
    secret: "the-secret",
    say: (line) => lines.push(line),
  });
  closers.push(bridge.close);
  return { telegram, got, lines };
}

it("hands updates on in order, with the secret, and confirms them", async () => {
  const { telegram, got } = await bridged({ status: 200 });
  telegram.say("one");
  telegram.say("two");
  await expect.poll(() => got.map(({ update }) => update.message.text), { timeout: 5000 }).toEqual(["one", "two"]);
  expect(got.map(({ secret }) => secret)).toEqual(["the-secret", "the-secret"]);
  await expect.poll(() => telegram.pending(), { timeout: 5000 }).toBe(0);
});

it("keeps an update that headquarters did not take, and says so without the token", async () => {
  const answer = { status: 503 };
  const { telegram, got, lines } = await bridged(answer);
  telegram.say("wait for me");
  await expect.poll(() => lines.length, { timeout: 5000 }).toBeGreaterThan(0);
  expect(lines.join()).not.toContain(botToken);
  answer.status = 200;
  await expect.poll(() => telegram.pending(), { timeout: 10_000 }).toBe(0);
  expect(new Set(got.map(({ update }) => update.message.text))).toEqual(new Set(["wait for me"]));
});

it("leaves a webhook alone that somebody else set", async () => {
  const { telegram, lines } = await bridged({ status: 200 });
  telegram.setWebhook("http://127.0.0.1:9/elsewhere", "s");
  telegram.say("not for the bridge");
  await expect.poll(() => lines.join(), { timeout: 10_000 }).toContain("Conflict");
});
