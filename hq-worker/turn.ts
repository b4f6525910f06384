/** One update of the owner's, worked to its end: a tap, a command, or a turn of Simone's. */
import { publicMessage } from "#core/errors.ts";
import { isTerminal } from "#core/task.ts";
import { cardLetter } from "#factory/card.ts";
import { converse, say } from "#factory/converse.ts";
import { deliverLetters } from "#factory/deliver.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import type { Update } from "#ports/store.ts";
import type { Task } from "#ports/tasks.ts";
import { runCommand } from "./commands.ts";
import type { Digest } from "./context.ts";
import { answerTap } from "./taps.ts";
import { frontDeskTools, type TextInbound } from "./tools/index.ts";
import { steerReport } from "./tools/steer.ts";

/** After so many beginnings a message is poison: it is ended, and the owner is told. With the waits between them that is eight minutes of an outage. */
const maxAttempts = 8;
/** Letters that may go out before the turn: it needs its calls for itself. */
const lettersBefore = 3;

/**
 * What a chat's desk does when it is woken: a message, and the letters that are due. Resolves to when it wants to be woken
 * again (ms), or to null. Killed at any line, the next round goes on from what is stored.
 */
export async function workDesk(hq: Headquarters, digest: Digest, chat: number): Promise<number | null> {
  const again = await workChat(hq, digest, chat);
  await deliverLetters(hq);
  const due = await hq.store.letters.nextDue();
  return again === null || due === null ? (again ?? due) : Math.min(again, due);
}

/**
 * Works on a chat's oldest message: one in an event, since each may make so many calls and no more. Resolves to when to
 * come again (ms), or to null when none is left.
 */
export async function workChat(hq: Headquarters, digest: Digest, chat: number): Promise<number | null> {
  const { updates } = hq.store;
  const update = await updates.begin(chat, hq.clock.now());
  if (!update) return null;
  try {
    const outcome = await workUpdate(hq, digest, update);
    if (outcome === "paused") await updates.pause(update.id);
    else await updates.finish(update.id, outcome, hq.clock.now());
    return hq.clock.now();
  } catch (error) {
    hq.log.error("a turn broke off", { update: update.id, attempt: update.attempts, error });
    return hq.clock.now() + 1000 * 2 ** update.attempts;
  }
}

async function workUpdate(hq: Headquarters, digest: Digest, update: Update): Promise<string> {
  const { inbound, attempts } = update;
  if (attempts > maxAttempts) {
    await leave(hq, update);
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
  const about = await taskRepliedTo(hq, inbound);
  if (about && !isTerminal(about.state)) {
    const text = await steerReport(hq, { id: about.id, text: inbound.text, key: `u${update.id}` });
    await say(hq, { key: `reply:${update.id}`, chat: inbound.chat, message: inbound.message, text });
    return "steered";
  }
  return converse(hq, update, inbound, frontDeskTools(hq, digest, update, inbound), about);
}

/** Ends a message that can't be worked on. What it had led to before it broke off goes on, and is shown. */
async function leave(hq: Headquarters, { id, inbound: { chat, message } }: Update) {
  const tasks = (await hq.store.tasks.list({ chat, limit: 100 })).filter((task) => task.id.startsWith(`t${id}-`));
  await hq.store.letters.add(
    tasks.map((task) => cardLetter(hq, task)),
    hq.clock.now(),
  );
  const names = tasks.map((task) => task.id).join(", ");
  const left = names && ` What it had begun by then goes on: ${names}.`;
  const text = `I broke off at this message ${maxAttempts} times and leave it now.${left} Please say the rest in another way; the log has the cause.`;
  await say(hq, { key: `poison:${id}`, chat, message, text });
}

/** The task whose card or completion the owner replies to, in words of their own. */
function taskRepliedTo({ store }: Headquarters, { chat, replyTo, forwarded }: TextInbound): Promise<Task | null> {
  return replyTo === null || forwarded ? Promise.resolve(null) : store.tasks.byCard(chat, replyTo);
}

/** Seen, before the model is asked: sent at once, and no reason to stop if it can't be. */
async function greet(hq: Headquarters, update: Update) {
  const { chat, message } = update.inbound;
  await hq.store.letters.add([{ key: `seen:${update.id}`, chat, body: { kind: "react", message, emoji: "👀" } }], hq.clock.now());
  await deliverLetters(hq, lettersBefore).catch((error: unknown) =>
    hq.log.warn("not acknowledged", { update: update.id, reason: publicMessage(error) }),
  );
}
