/** What tells Telegram about headquarters, on the stand-in's wire. */
import { afterEach, expect, it } from "vitest";
import { startTelegram, type TelegramStandIn } from "../../dev/telegram/start.ts";
import { commands } from "../../hq-worker/commands.ts";
import { registerCommands, registerWebhook } from "../../scripts/telegram-setup.ts";

const botToken = `4242:${"y".repeat(35)}`;
let telegram: TelegramStandIn | null = null;
afterEach(() => telegram?.close());

async function ask(method: string): Promise<unknown> {
  const response = await fetch(`${telegram?.apiRoot}/bot${botToken}/${method}`);
  return ((await response.json()) as { result: unknown }).result;
}

it("registers the webhook and every command", async () => {
  telegram = await startTelegram({ botToken, webhook: null, owner: { id: 7, name: "Owner" } });
  await registerWebhook(telegram.apiRoot, botToken, "https://hq.example/", "s".repeat(40));
  await registerCommands(telegram.apiRoot, botToken);
  expect(await ask("getWebhookInfo")).toMatchObject({ url: "https://hq.example/telegram/webhook" });
  expect(await ask("getMyCommands")).toEqual(Object.entries(commands).map(([command, { about }]) => ({ command, description: about })));
});

it("passes Telegram's own words on, and never the token", async () => {
  telegram = await startTelegram({ botToken, webhook: null, owner: { id: 7, name: "Owner" } });
  const wrong = `4242:${"z".repeat(35)}`;
  const refusal = await registerCommands(telegram.apiRoot, wrong).catch((error: Error) => error.message);
  expect(refusal).toContain("Unauthorized");
  expect(refusal).not.toContain(wrong);
  const silence = await registerCommands("http://127.0.0.1:9", wrong).catch((error: Error) => error.message);
  expect(silence).toContain("could not be reached");
  expect(silence).not.toContain(wrong);
});
