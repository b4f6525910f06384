/**
 * Letters → chat. A letter stays until the chat confirmed it. The rule for an ambiguous send (no answer came, or the sender died
 * before it could note the answer): it is sent again, and a message says that it may be there twice.
 */
import { publicMessage } from "#core/errors.ts";
import type { Delivered, Delivery, LetterBody } from "#ports/chat.ts";
import type { Leased } from "#ports/letters.ts";
import { taskOfCompletion } from "./card.ts";
import type { Headquarters } from "./headquarters.ts";

type Deps = Pick<Headquarters, "store" | "chat" | "clock" | "log" | "redactor" | "callsLeft">;

const perFlush = 12;
/** After it, another flush may try the letter: no send begins so late that it could end beyond it. */
const leaseMs = 60_000;
const longestSendMs = 25_000;
/** Calls that one letter takes at most. */
const callsEach = 5;
/** For taking them, and for what an event ends with. */
const callsKept = 3;
/** No outage of the chat that is shorter costs a completion. */
const keptMs = 7 * 86_400_000;
const maxWaitMs = 300_000;
/** So often a letter's failure holds up the whole chat. Beyond it the fault may be the letter's own, and another is tried. */
const patience = 5;

/** Sends what is due, oldest first. After a setback the whole chat is left alone for a while. */
export async function deliverLetters(deps: Deps, most = perFlush): Promise<void> {
  const { store, clock, log } = deps;
  const begun = clock.now();
  const limit = Math.min(most, Math.floor((deps.callsLeft() - callsKept) / callsEach));
  if (limit < 1) return;
  const doubtful = new Set<number>();
  const resting = new Set<number>();
  for (const letter of await store.letters.take(begun, leaseMs, limit)) {
    if (resting.has(letter.chat) || clock.now() - begun > leaseMs - longestSendMs) continue;
    if (!letter.begun) await store.letters.begin(letter.key);
    const outcome = await send(deps, letter);
    if (outcome.ok) {
      await store.letters.sent(letter.key, outcome.message, clock.now());
      await noteCompletion(deps, letter.key);
    } else if (outcome.why === "refused" || clock.now() - letter.since > keptMs) {
      log.error("a letter was given up", { key: letter.key, error: outcome.error });
      await store.letters.drop(letter.key, outcome.error, clock.now());
    } else {
      const until = clock.now() + Math.max(outcome.afterMs, Math.min(1000 * 2 ** letter.attempts, maxWaitMs));
      await store.letters.retryAt(letter.key, until, outcome.error, outcome.why === "retry");
      if (letter.attempts > patience && !doubtful.has(letter.chat)) {
        doubtful.add(letter.chat);
        continue;
      }
      resting.add(letter.chat);
      await store.letters.rest(letter.chat, until);
    }
  }
}

/** What can't be cleaned of secrets is not sent, and holds up nothing else for long. */
async function send(deps: Deps, letter: Leased): Promise<Delivered> {
  try {
    const { body, chat, refersTo } = letter;
    return await deps.chat.deliver(redacted(deps, { chat, refersTo, body: letter.attempts > 1 ? marked(body) : body }));
  } catch (error) {
    deps.log.error("a letter was withheld", { error });
    return { ok: false, why: "unknown", afterMs: 0, error: publicMessage(error) };
  }
}

/** A message of which another copy may stand there already says so; what can't be there twice needs no mark. */
function marked(body: LetterBody): LetterBody {
  if (body.kind === "text") return { ...body, content: { ...body.content, text: `${body.content.text}\n${again}` } };
  if (body.kind === "document") return { ...body, caption: `${again} ${body.caption}` };
  return body;
}
export const again = "↻ sent again: I can't tell whether it arrived the first time";

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
  if (body.kind === "answer") return { ...delivery, body: { ...body, text: redactor.clean(body.text) } };
  if (body.kind === "document")
    return { ...delivery, body: { ...body, data: redactor.clean(body.data), caption: redactor.clean(body.caption) } };
  return delivery;
}
