/** Letters → chat. A letter stays until the chat confirmed it; an unknown outcome is sent again. */
import type { Delivery, LetterBody } from "#ports/chat.ts";
import { taskOfCompletion } from "./card.ts";
import type { Headquarters } from "./headquarters.ts";

type Deps = Pick<Headquarters, "store" | "chat" | "clock" | "log" | "redactor">;

const perFlush = 12;
/** Longer than a send can take: after it, another flush may try the letter. */
const leaseMs = 60_000;
/** About a week of tries with the delays below: no outage of the chat costs a completion. */
const maxAttempts = 2000;
const maxWaitMs = 300_000;

/** Sends what is due, oldest first. After a setback a chat is left alone until its letter is due again. */
export async function deliverLetters(deps: Deps): Promise<void> {
  const { store, chat, clock, log } = deps;
  const resting = new Set<number>();
  for (const letter of await store.letters.take(clock.now(), leaseMs, perFlush)) {
    if (resting.has(letter.chat)) {
      await store.letters.retryAt(letter.key, clock.now() + 1000, "another letter of this chat has to go first");
      continue;
    }
    const outcome = await chat.deliver(redacted(deps, letter));
    if (outcome.ok) {
      await store.letters.sent(letter.key, outcome.message, clock.now());
      await noteCompletion(deps, letter.key);
    } else if (outcome.why === "refused" || letter.attempts >= maxAttempts) {
      log.error("a letter was given up", { key: letter.key, error: outcome.error });
      await store.letters.drop(letter.key, outcome.error, clock.now());
    } else {
      resting.add(letter.chat);
      const wait = Math.max(outcome.afterMs, Math.min(1000 * 2 ** letter.attempts, maxWaitMs));
      await store.letters.retryAt(letter.key, clock.now() + wait, outcome.error);
    }
  }
}

/** The end of a task's story: the chat has confirmed the completion. */
async function noteCompletion({ store, clock }: Deps, key: string) {
  const id = taskOfCompletion(key);
  const task = id === null ? null : await store.tasks.get(id);
  if (task) await store.tasks.note(task.id, task.epoch, { kind: "told", text: "the chat confirmed the completion" }, clock.now());
}

/** Marks are dropped where a secret was hidden: their offsets would be wrong. */
function redacted({ redactor }: Deps, delivery: Delivery): Delivery {
  const { body } = delivery;
  const clean = <B extends LetterBody & { content: { text: string } }>(letter: B): B => {
    const text = redactor.clean(letter.content.text);
    return text === letter.content.text ? letter : { ...letter, content: { text, spans: [] } };
  };
  if (body.kind === "text" || body.kind === "edit") return { ...delivery, body: clean(body) };
  if (body.kind === "document")
    return { ...delivery, body: { ...body, data: redactor.clean(body.data), caption: redactor.clean(body.caption) } };
  return delivery;
}
