/** A tap on a button: done first, then answered with what really happened. */
import { answerQuestion } from "#factory/answer-owner.ts";
import { cancelTask } from "#factory/cancel.ts";
import { say } from "#factory/converse.ts";
import { answerJoin } from "#factory/enrol.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import { replay, replayAnswer } from "#factory/replay.ts";
import type { Inbound } from "#ports/chat.ts";
import type { Update } from "#ports/store.ts";
import { followUpReport } from "./tools/follow-up.ts";
import { pauseReport, resumeReport } from "./tools/pause.ts";
import { storyOf } from "./tools/story.ts";

type Tap = Extract<Inbound, { kind: "tap" }>;

export async function answerTap(hq: Headquarters, update: Update, tap: Tap): Promise<void> {
  const text = await act(hq, update, tap);
  const key = `answer:${update.id}`;
  await hq.store.letters.add([{ key, chat: tap.chat, body: { kind: "answer", tap: tap.tap, text: text.slice(0, 190) } }], hq.clock.now());
}

async function act(hq: Headquarters, update: Update, tap: Tap): Promise<string> {
  const [verb, ...rest] = tap.data.split(":");
  const [first = "", second = "", third = ""] = rest;
  if (verb === "stop") {
    const outcome = await cancelTask(hq, first, `${tap.name} stopped it`);
    return {
      unknown: "There is no such task.",
      over: "It is over already.",
      cancelled: "Cancelled.",
      requested: "Told the factory to stop.",
    }[outcome];
  }
  if (verb === "pause") return pauseReport(hq, first, tap.name);
  if (verb === "resume") return resumeReport(hq, first, tap.name);
  if (verb === "log") {
    const story = await storyOf(hq, first);
    await say(hq, { key: `log:${update.id}`, chat: tap.chat, message: tap.message, text: story });
    return "Sent.";
  }
  if (verb === "replay") return replayAnswer(first, await replay(hq, { id: first, update, message: tap.message, name: tap.name }));
  if (verb === "follow") return followUpReport(hq, { do: first, task: second, key: `u${update.id}` });
  if (verb === "ask") {
    const { text } = await answerQuestion(hq, { id: first, option: second, by: tap.name, via: "telegram" });
    return text;
  }
  if (verb === "join") {
    const text = await answerJoin(hq, { factory: second, tag: third, yes: first === "y", chat: tap.chat, name: tap.name });
    await say(hq, { key: `joined:${update.id}`, chat: tap.chat, message: tap.message, text });
    return text;
  }
  return "This button is not known any more.";
}
