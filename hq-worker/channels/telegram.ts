/** Telegram's webhook: the secret before the body, the update stored whole before anything happens, then the desk. */
import { Hono } from "hono";
import { UacError } from "#core/errors.ts";
import { say } from "#factory/converse.ts";
import { parseJson, readBody } from "../body.ts";
import type { HqContext } from "../context.ts";
import { parseUpdate } from "./telegram-update.ts";

const maxUpdateBytes = 256 * 1024;

export function telegramChannel() {
  const channel = new Hono<{ Bindings: HqContext }>();

  channel.post("/webhook", async (c) => {
    const { hq, desks } = c.env;
    if (!sameText(c.req.header("x-telegram-bot-api-secret-token") ?? "", hq.settings.telegramSecret)) {
      throw new UacError("unauthenticated", "The webhook secret is missing or wrong");
    }
    const update = parseUpdate(parseJson(await readBody(c.req.raw, maxUpdateBytes)), hq.settings.owners);
    if ("ignored" in update) {
      hq.log.info("an update was ignored", { update: update.updateId, reason: update.ignored });
      if (update.unread) await apologise(c.env, update.unread);
      return c.json({ ok: true });
    }
    const { updateId, inbound } = update;
    const known = await hq.store.updates.receive(updateId, inbound, hq.clock.now());
    // A duplicate of an unfinished update rings too: the first ring may have been lost.
    if (known !== "finished") await desks.ring(inbound.chat);
    return c.json({ ok: true });
  });

  return channel;
}

/** The owner sent what nobody here can read, and should not wait for an answer. */
async function apologise({ hq, desks }: HqContext, { chat, message }: { chat: number; message: number }) {
  const text = "I can read text only: no photos, files or voice messages yet. Please write it.";
  await say(hq, { key: `unread:${chat}:${message}`, chat, message, text });
  await desks.ring(chat);
}

/** Compares in a time that depends on the length of `known` alone. */
function sameText(given: string, known: string): boolean {
  let difference = given.length ^ known.length;
  for (let i = 0; i < known.length; i += 1) difference |= known.charCodeAt(i) ^ (given.charCodeAt(i) || 0);
  return difference === 0;
}
