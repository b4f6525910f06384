/** One update of the owner's, worked to its end: a tap, a command, or a turn of Simone's. */
import { publicMessage } from "#core/errors.ts";
import { converse, say } from "#factory/converse.ts";
import { deliverLetters } from "#factory/deliver.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import type { Update } from "#ports/store.ts";
import { runCommand } from "./commands.ts";
import type { Digest } from "./context.ts";
import { answerTap } from "./taps.ts";
import { frontDeskTools } from "./tools/index.ts";

/** After so many beginnings a message is poison: it is ended, and the owner is told. */
const maxAttempts = 5;

/** Works off a chat's messages, oldest first. Resolves to null when none is left, else to when to try again (ms). */
export async function workChat(hq: Headquarters, digest: Digest, chat: number): Promise<number | null> {
  for (;;) {
    const update = await hq.store.updates.begin(chat, hq.clock.now());
    if (!update) return null;
    try {
      const outcome = await workUpdate(hq, digest, update);
      await hq.store.updates.finish(update.id, outcome, hq.clock.now());
      await deliverLetters(hq);
    } catch (error) {
      hq.log.error("a turn broke off", { update: update.id, attempt: update.attempts, error });
      return hq.clock.now() + 1000 * 2 ** update.attempts;
    }
  }
}

async function workUpdate(hq: Headquarters, digest: Digest, update: Update): Promise<string> {
  const { inbound, attempts } = update;
  if (attempts > maxAttempts) {
    const text = `I broke off at this message ${maxAttempts} times and leave it now. Please say it in another way; the log has the cause.`;
    await say(hq, { key: `poison:${update.id}`, chat: inbound.chat, message: inbound.message, text });
    return "poison";
  }
  if (inbound.kind === "tap") {
    await answerTap(hq, update, inbound);
    return "tap";
  }
  await greet(hq, update);
  if (inbound.text.startsWith("/")) {
    await runCommand(hq, digest, update, inbound);
    return "command";
  }
  await converse(hq, update, inbound, frontDeskTools(hq, digest, update, inbound));
  return "answered";
}

/** Seen, before the model is asked: sent at once, and no reason to stop if it can't be. */
async function greet(hq: Headquarters, update: Update) {
  const { chat, message } = update.inbound;
  await hq.store.letters.add([{ key: `seen:${update.id}`, chat, body: { kind: "react", message, emoji: "👀" } }], hq.clock.now());
  await deliverLetters(hq).catch((error: unknown) => hq.log.warn("not acknowledged", { update: update.id, reason: publicMessage(error) }));
}
