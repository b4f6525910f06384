/**
 * `npm run telegram-setup`: tells Telegram where headquarters is and which commands it knows. Reads TELEGRAM_BOT_TOKEN,
 * TELEGRAM_WEBHOOK_SECRET, PUBLIC_URL and, for another server, TELEGRAM_API_ROOT.
 */
import { commands } from "../hq-worker/commands.ts";

const answerWithinMs = 20_000;

/** One call of the Bot API. Rejects with Telegram's own words, never with the token. */
async function call(apiRoot: string, token: string, method: string, body: unknown): Promise<void> {
  const request = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`${apiRoot}/bot${token}/${method}`, { ...request, signal: AbortSignal.timeout(answerWithinMs) }).catch(
    (error) => {
      throw new Error(`Telegram could not be reached for ${method}: ${error instanceof Error ? error.name : "no answer"}`);
    },
  );
  const answer = (await response.json().catch(() => ({}))) as { ok?: boolean; description?: string };
  if (!answer.ok) throw new Error(`Telegram refused ${method}: ${answer.description ?? `status ${response.status}`}`);
}

/** What the chat offers when somebody types a slash. */
export function registerCommands(apiRoot: string, token: string): Promise<void> {
  const list = Object.entries(commands).map(([command, { about }]) => ({ command, description: about }));
  return call(apiRoot, token, "setMyCommands", { commands: list });
}

/** `publicUrl` is headquarters' own address, https. */
export function registerWebhook(apiRoot: string, token: string, publicUrl: string, secret: string): Promise<void> {
  const url = `${publicUrl.replace(/\/+$/, "")}/telegram/webhook`;
  return call(apiRoot, token, "setWebhook", {
    url,
    secret_token: secret,
    allowed_updates: ["message", "callback_query"],
    max_connections: 10,
  });
}

async function main(env: NodeJS.ProcessEnv): Promise<void> {
  const { TELEGRAM_BOT_TOKEN: token, TELEGRAM_WEBHOOK_SECRET: secret, PUBLIC_URL: url } = env;
  const missing = Object.entries({ TELEGRAM_BOT_TOKEN: token, TELEGRAM_WEBHOOK_SECRET: secret, PUBLIC_URL: url }).filter(
    ([, value]) => !value,
  );
  if (!token || !secret || !url) throw new Error(`Not set: ${missing.map(([name]) => name).join(", ")}`);
  const apiRoot = env.TELEGRAM_API_ROOT ?? "https://api.telegram.org";
  await registerWebhook(apiRoot, token, url, secret);
  await registerCommands(apiRoot, token);
  process.stdout.write(`Telegram sends updates to ${url} and offers ${Object.keys(commands).length} commands.\n`);
}

if (import.meta.main) {
  await main(process.env).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  });
}
