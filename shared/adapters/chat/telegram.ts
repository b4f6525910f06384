/** Chat over the Telegram Bot API. One letter is one message; what does not fit is cut, and says so. */
import type { ReactionTypeEmoji } from "grammy/types";
import { Api, GrammyError, HttpError, InputFile } from "grammy/web";
import type { Chat, Delivered, Delivery } from "#ports/chat.ts";
import { buttonRows, linkLines } from "./telegram-buttons.ts";
import { cutText, entitiesOf, maxCaption, maxText } from "./telegram-text.ts";

export interface TelegramOptions {
  token: string;
  /** Without a slash at the end; Telegram itself if absent. */
  apiRoot?: string;
  fetch?: typeof fetch;
  /** How long a call may take, seconds. */
  timeoutS?: number;
}

/** Telegram cuts the text of an answered tap here. */
const maxAnswer = 200;
/** After an outcome nobody knows, wait this long before the next try, milliseconds. */
const unknownWaitMs = 2000;
/** A refused token is headquarters' fault, not the letter's: it may be mended within this, milliseconds. */
const tokenWaitMs = 60_000;

type Body<K extends Delivery["body"]["kind"]> = Extract<Delivery["body"], { kind: K }>;

/** Never throws; the bot token is in no error text. */
export function telegramChat({ token, apiRoot, fetch, timeoutS = 20 }: TelegramOptions): Chat {
  const api = new Api(token, {
    timeoutSeconds: timeoutS,
    ...(apiRoot !== undefined && { apiRoot }),
    ...(fetch !== undefined && { fetch }),
  });

  /** What a text or an edit is made of, at most as rich as `plain` and `links` allow. */
  const textOf = (body: Body<"text"> | Body<"edit">, { plain, links }: Attempt) => {
    const extra = links ? "" : linkLines(body.buttons);
    const { text, spans } = cutText(body.content, maxText - extra.length);
    return {
      text: text + extra,
      entities: plain ? [] : entitiesOf({ text, spans }),
      link_preview_options: { is_disabled: true },
      reply_markup: { inline_keyboard: buttonRows(body.buttons, links) },
    };
  };

  const send = async ({ chat, body, refersTo }: Delivery, attempt: Attempt): Promise<number | null> => {
    const reply = refersTo === null ? {} : { reply_parameters: { message_id: refersTo, allow_sending_without_reply: true } };
    switch (body.kind) {
      case "text": {
        const sent = await api.raw.sendMessage({ chat_id: chat, disable_notification: body.silent, ...textOf(body, attempt), ...reply });
        return sent.message_id;
      }
      case "edit": {
        if (refersTo === null) throw new Error("the message to edit is not known");
        await api.raw.editMessageText({ chat_id: chat, message_id: refersTo, ...textOf(body, attempt) });
        return refersTo;
      }
      case "document": {
        const caption = cutText({ text: body.caption, spans: [] }, maxCaption).text;
        const document = new InputFile(new TextEncoder().encode(body.data || "(empty)\n"), fileName(body.filename));
        const sent = await api.raw.sendDocument({ chat_id: chat, document, caption, disable_notification: body.silent, ...reply });
        return sent.message_id;
      }
      case "react":
        await api.raw.setMessageReaction({
          chat_id: chat,
          message_id: body.message,
          reaction: [{ type: "emoji", emoji: body.emoji as ReactionTypeEmoji["emoji"] }],
        });
        return null;
      case "answer":
        await api.raw.answerCallbackQuery({ callback_query_id: body.tap, text: body.text.slice(0, maxAnswer) });
        return null;
    }
  };

  const outcome = async (delivery: Delivery, attempt: Attempt): Promise<Delivered> => {
    try {
      return { ok: true, message: await send(delivery, attempt) };
    } catch (error) {
      if (error instanceof GrammyError && error.error_code === 400) {
        if (error.description.includes("message is not modified")) return { ok: true, message: delivery.refersTo };
        const next = simpler(attempt, error.description);
        if (next) return outcome(delivery, next);
      }
      return failure(error, token);
    }
  };

  return { deliver: (delivery) => outcome(delivery, { plain: false, links: true }) };
}

/** How a letter is tried: with its marks unless `plain`, with its link buttons if `links`. */
interface Attempt {
  plain: boolean;
  links: boolean;
}

/** What to leave out where Telegram refuses a part of a letter; null if that was not why. Each part goes at most once. */
function simpler(attempt: Attempt, why: string): Attempt | null {
  if (!attempt.plain && /entit(y|ies)/i.test(why)) return { ...attempt, plain: true };
  if (attempt.links && /button[ _]url/i.test(why)) return { ...attempt, links: false };
  return null;
}

function failure(error: unknown, token: string): Delivered {
  const say = (text: string) => withoutToken(text, token).slice(0, 500);
  if (error instanceof GrammyError) {
    const text = say(`Telegram refused ${error.method}: ${error.error_code} ${error.description}`);
    if (error.error_code === 429)
      return { ok: false, why: "retry", afterMs: Math.max(1, error.parameters.retry_after ?? 1) * 1000, error: text };
    if (error.error_code === 401) return { ok: false, why: "retry", afterMs: tokenWaitMs, error: text };
    if (error.error_code >= 500) return { ok: false, why: "unknown", afterMs: unknownWaitMs, error: text };
    return { ok: false, why: "refused", error: text };
  }
  if (error instanceof HttpError) {
    const { error: inner } = error;
    const cause = inner instanceof Error && inner.cause instanceof Error ? `: ${inner.cause.message}` : "";
    const text = `${error.message} ${inner instanceof Error ? inner.message : ""}${cause}`;
    return { ok: false, why: "unknown", afterMs: unknownWaitMs, error: say(text) };
  }
  return { ok: false, why: "refused", error: say(error instanceof Error ? error.message : String(error)) };
}

/** A failed fetch may name the address it went to, and the token is in it. */
function withoutToken(text: string, token: string): string {
  const secret = token.split(":")[1] ?? "";
  const cleaned = text.replaceAll(token, "[bot token]").replaceAll(encodeURIComponent(token), "[bot token]");
  return secret === "" ? cleaned : cleaned.replaceAll(secret, "[bot token]");
}

/** grammY writes the name bare into a part's header, where servers differ on anything but plain ASCII. */
function fileName(name: string): string {
  return name.replace(/[^A-Za-z0-9._+-]+/g, "_").slice(-80) || "file";
}
