/** Text and its entities: checked, trimmed and completed as Telegram does. Offsets are UTF-16 code units. */
import type { MessageEntity } from "grammy/types";
import * as z from "zod";
import { badRequest } from "./api-error.ts";

const types = ["bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre", "blockquote", "expandable_blockquote"] as const;

export const entitiesSchema = z.array(
  z.discriminatedUnion("type", [
    z.object({ type: z.enum(types), offset: z.int(), length: z.int(), language: z.string().optional() }),
    z.object({ type: z.literal("text_link"), offset: z.int(), length: z.int(), url: z.string() }),
    z.object({ type: z.enum(["url", "bot_command", "mention", "hashtag", "email"]), offset: z.int(), length: z.int() }),
  ]),
);
type GivenEntities = z.infer<typeof entitiesSchema>;

export interface Formatted {
  text: string;
  entities: MessageEntity[];
}

/** What Telegram makes of a bot's text. Throws a 400 for entities that do not fit. */
export function format(text: string, given: GivenEntities): Formatted {
  for (const { offset, length } of given) {
    if (offset < 0 || offset > 1_000_000) throw badRequest(`receive an entity with incorrect offset ${offset}`);
    if (length < 0 || length > 1_000_000) throw badRequest(`receive an entity with incorrect length ${length}`);
    if (splitsPair(text, offset)) throw badRequest(`entity begins in a middle of a UTF-16 symbol at byte offset ${bytes(text, offset)}`);
    if (splitsPair(text, offset + length)) {
      throw badRequest(
        `entity beginning at UTF-16 offset ${offset} ends in a middle of a UTF-16 symbol at byte offset ${bytes(text, offset + length)}`,
      );
    }
  }
  return trim(text, withAutomatic(text, given as MessageEntity[]));
}

/** What Telegram makes of what a person typed: links and commands are found, nothing else is marked. */
export function formatTyped(text: string): Formatted {
  return trim(text, withAutomatic(text, []));
}

const splitsPair = (text: string, at: number) =>
  /[\uDC00-\uDFFF]/.test(text.charAt(at)) && /[\uD800-\uDBFF]/.test(text.charAt(at - 1)) && at > 0;

const bytes = (text: string, at: number) => Buffer.byteLength(text.slice(0, at - 1));

/** Telegram marks links and commands by itself wherever the sender marked nothing. */
function withAutomatic(text: string, given: readonly MessageEntity[]): MessageEntity[] {
  const found: MessageEntity[] = [];
  const add = (type: "url" | "bot_command", offset: number, length: number) => {
    const taken = given.some(
      (e) => ["code", "pre", "text_link", "url"].includes(e.type) && e.offset < offset + length && offset < e.offset + e.length,
    );
    if (!taken) found.push({ type, offset, length });
  };
  for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"'`]+[^\s<>"'`.,;:!?)\]}]/g)) add("url", match.index, match[0].length);
  for (const match of text.matchAll(/(?<![^\s])\/[a-z0-9_]{1,32}(?![\w/])/gi)) add("bot_command", match.index, match[0].length);
  return [...given, ...found].sort((a, b) => a.offset - b.offset || b.length - a.length);
}

/** Cuts white space off both ends and moves the entities along; drops those with nothing left. */
function trim(text: string, entities: readonly MessageEntity[]): Formatted {
  const trimmed = text.trim();
  const cut = text.length - text.trimStart().length;
  const moved = entities.flatMap((entity) => {
    const start = Math.max(0, entity.offset - cut);
    const end = Math.min(trimmed.length, entity.offset - cut + entity.length);
    return end > start ? [{ ...entity, offset: start, length: end - start }] : [];
  });
  return { text: trimmed, entities: moved };
}
