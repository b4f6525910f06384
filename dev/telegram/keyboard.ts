/** Inline keyboards, checked as Telegram checks them. */
import type { InlineKeyboardButton, InlineKeyboardMarkup } from "grammy/types";
import * as z from "zod";
import { badRequest } from "./api-error.ts";
import { maxCallbackData } from "./limits.ts";
import type { Params } from "./params.ts";

const markupSchema = z.object({
  inline_keyboard: z.array(z.array(z.looseObject({ text: z.string(), callback_data: z.string().optional(), url: z.string().optional() }))),
});

/**
 * The `reply_markup` of a call; undefined if there is none or it has no button. Telegram refuses addresses without a dot
 * in the host, such as localhost: so does this if `strictUrls`.
 */
export function readKeyboard(params: Params, strictUrls: boolean): InlineKeyboardMarkup | undefined {
  const markup = params.json("reply_markup", markupSchema, "reply keyboard markup");
  if (markup === null) return undefined;
  const rows = markup.inline_keyboard
    .map((row) => row.map(({ text, callback_data: data, url }) => button(text, data, url, strictUrls)))
    .filter((row) => row.length > 0);
  if (rows.flat().length > 100) throw badRequest("REPLY_MARKUP_TOO_LONG");
  return rows.length > 0 ? { inline_keyboard: rows } : undefined;
}

function button(text: string, data: string | undefined, url: string | undefined, strictUrls: boolean): InlineKeyboardButton {
  if (text.trim() === "") throw badRequest("inline keyboard button text must be non-empty");
  if (url !== undefined) {
    const host = URL.parse(url)?.hostname;
    const scheme = URL.parse(url)?.protocol;
    const fits = (scheme === "http:" || scheme === "https:" || scheme === "tg:") && (!strictUrls || host?.includes(".") === true);
    if (!fits) throw badRequest(`inline keyboard button URL '${url}' is invalid: Wrong HTTP URL`);
    return { text, url };
  }
  if (data === undefined) throw badRequest("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard");
  if (data === "" || Buffer.byteLength(data) > maxCallbackData) throw badRequest("BUTTON_DATA_INVALID");
  return { text, callback_data: data };
}
