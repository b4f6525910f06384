/**
 * With a real bot token, Telegram can't reach a webhook on this machine. The bridge asks Telegram for updates and posts
 * them to the local webhook as Telegram would: same JSON, same secret header, next one only after a 2xx.
 */
const askS = 25;
const errorWaitMs = 3000;

export interface BridgeOptions {
  token: string;
  apiRoot: string | undefined;
  webhook: string;
  secret: string;
  say(line: string): void;
}

export function bridgeTelegram({ token, apiRoot = "https://api.telegram.org", webhook, secret, say }: BridgeOptions) {
  const stop = new AbortController();
  const running = run();

  async function run() {
    let offset = 0;
    while (!stop.signal.aborted) {
      try {
        for (const update of await ask(offset)) {
          await post(update);
          offset = update.update_id + 1;
        }
      } catch (error) {
        if (stop.signal.aborted) return;
        say(`Telegram: ${error instanceof Error ? error.message.replaceAll(token, "[TELEGRAM_BOT_TOKEN]") : "no answer"}; asking again`);
        await new Promise((resolve) => setTimeout(resolve, errorWaitMs));
      }
    }
  }

  async function ask(offset: number): Promise<{ update_id: number }[]> {
    const body = JSON.stringify({ offset, timeout: askS, allowed_updates: ["message", "callback_query"] });
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout((askS + 10) * 1000)]);
    const response = await fetch(`${apiRoot}/bot${token}/getUpdates`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      signal,
    });
    const answer = (await response.json()) as { ok: boolean; result?: { update_id: number }[]; description?: string };
    if (!answer.ok) throw new Error(`getUpdates was refused: ${answer.description ?? response.status}`);
    return answer.result ?? [];
  }

  async function post(update: { update_id: number }) {
    const headers = { "content-type": "application/json", "x-telegram-bot-api-secret-token": secret };
    const response = await fetch(webhook, {
      method: "POST",
      headers,
      body: JSON.stringify(update),
      signal: AbortSignal.any([stop.signal, AbortSignal.timeout(60_000)]),
    });
    if (!response.ok) throw new Error(`headquarters answered ${response.status} to an update`);
  }

  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}
