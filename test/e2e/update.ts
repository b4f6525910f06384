/** Updates as the Bot API sends them, carried to the webhook by hand. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { House } from "./house.ts";

interface Sender {
  id: number;
  username?: string;
}

/** A text message in a private chat, with the fields that the Bot API fills in. */
export function textUpdate(id: number, message: number, from: Sender, text: string) {
  const person = { id: from.id, first_name: "Owner", ...(from.username && { username: from.username }) };
  return {
    update_id: id,
    message: {
      message_id: message,
      from: { ...person, is_bot: false, language_code: "en", is_premium: true },
      chat: { ...person, type: "private" },
      date: Math.floor(Date.now() / 1000),
      text,
    },
  };
}

/** POSTs to the webhook as Telegram does. Resolves to the status. */
export async function postUpdate(house: House, update: unknown, headers: Record<string, string> = secretHeader(house)): Promise<number> {
  const response = await fetch(`${house.box.hqUrl}/telegram/webhook`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(update),
    signal: AbortSignal.timeout(30_000),
  });
  await response.body?.cancel();
  return response.status;
}

export function secretHeader({ box }: House) {
  return { "x-telegram-bot-api-secret-token": box.hqEnv.TELEGRAM_WEBHOOK_SECRET ?? "" };
}

/** From here on what is typed in the chat reaches nobody by itself: the test carries it. Undone by what it returns. */
export async function interceptUpdates({ chat, box }: House) {
  const sink = createServer((request, response) => request.resume().on("end", () => response.end()));
  await new Promise<void>((resolve) => sink.listen(0, "127.0.0.1", resolve));
  chat.setWebhook(`http://127.0.0.1:${(sink.address() as AddressInfo).port}/`, "unused");
  return async () => {
    chat.setWebhook(`${box.hqUrl}/telegram/webhook`, box.hqEnv.TELEGRAM_WEBHOOK_SECRET ?? "");
    await new Promise((resolve) => sink.close(resolve).closeAllConnections());
  };
}
