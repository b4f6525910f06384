/**
 * A Telegram update to what a person sent, or why it is none. Only an owner's own words in a private chat count: owners
 * are known by number (a username can change hands), never by name. Fields that Telegram adds are ignored.
 */
import * as z from "zod";
import type { Inbound } from "#ports/chat.ts";

export type ParsedUpdate = { updateId: number; inbound: Inbound } | Ignored;

export interface Ignored {
  /** Why, for the log. */
  ignored: string;
  /** Null where it was no update at all. */
  updateId: number | null;
  /** The owner's own message that nothing can be done with (a photo, a voice message): whom to tell. */
  unread?: { chat: number; message: number };
}

/** Telegram's limit is 4096 characters; of code units that is at most twice as many. */
const maxText = 8192;

const userSchema = z.object({ id: z.int(), is_bot: z.boolean(), first_name: z.string() });
const chatSchema = z.object({ id: z.int(), type: z.string().max(32) });

const messageSchema = z.object({
  message_id: z.int().positive(),
  from: userSchema.optional(),
  sender_chat: z.unknown().optional(),
  chat: chatSchema,
  text: z.string().max(maxText).optional(),
  reply_to_message: z.object({ message_id: z.int().positive() }).optional(),
  forward_origin: z.unknown().optional(),
  via_bot: z.unknown().optional(),
});

const tapSchema = z.object({
  id: z.string().min(1).max(64),
  from: userSchema,
  message: z.object({ message_id: z.int().positive(), chat: chatSchema }).optional(),
  data: z.string().max(64).optional(),
});

const updateSchema = z.object({
  update_id: z.int().nonnegative(),
  message: messageSchema.optional(),
  callback_query: tapSchema.optional(),
});

/** Never throws. `ownerIds` are Telegram user ids. */
export function parseUpdate(json: unknown, ownerIds: readonly number[]): ParsedUpdate {
  const parsed = updateSchema.safeParse(json);
  if (!parsed.success) return { ignored: `malformed: ${z.prettifyError(parsed.error)}`.slice(0, 500), updateId: idOf(json) };
  const { update_id: updateId, message, callback_query: tap } = parsed.data;
  if (message) return { updateId, ...fromMessage(message, ownerIds) };
  if (tap) return { updateId, ...fromTap(tap, ownerIds) };
  return { updateId, ignored: "unsupported: neither a new message nor a tap" };
}

type Outcome = { inbound: Inbound } | Omit<Ignored, "updateId">;

function fromMessage(message: z.infer<typeof messageSchema>, ownerIds: readonly number[]): Outcome {
  const { from, chat } = message;
  if (message.sender_chat !== undefined) return { ignored: "sent on behalf of a chat" };
  if (from === undefined) return { ignored: "has no sender" };
  const stranger = whyNot(from, chat, ownerIds);
  if (stranger !== null) return { ignored: stranger };
  const text = message.text ?? "";
  if (text.trim() === "") return { ignored: "unsupported: a message without text", unread: { chat: chat.id, message: message.message_id } };
  return {
    inbound: {
      kind: "text",
      chat: chat.id,
      message: message.message_id,
      from: from.id,
      name: shown(from.first_name),
      text,
      replyTo: message.reply_to_message?.message_id ?? null,
      // Text that came through another bot is somebody else's words too.
      forwarded: message.forward_origin !== undefined || message.via_bot !== undefined,
    },
  };
}

function fromTap({ id, from, message, data }: z.infer<typeof tapSchema>, ownerIds: readonly number[]): Outcome {
  if (message === undefined || data === undefined) return { ignored: "unsupported: a tap without a message or data" };
  const stranger = whyNot(from, message.chat, ownerIds);
  if (stranger !== null) return { ignored: stranger };
  const { chat, message_id } = message;
  return { inbound: { kind: "tap", chat: chat.id, message: message_id, from: from.id, name: shown(from.first_name), tap: id, data } };
}

function whyNot(from: z.infer<typeof userSchema>, chat: z.infer<typeof chatSchema>, ownerIds: readonly number[]): string | null {
  if (from.is_bot) return "sent by a bot";
  if (!ownerIds.includes(from.id)) return `user ${from.id} is no owner`;
  if (chat.type !== "private") return `in a ${chat.type}, not in a private chat`;
  return chat.id === from.id ? null : "in a private chat that is not the owner's";
}

/** A name without line breaks and invisible direction marks, at most 64 characters. */
function shown(name: string): string {
  return name
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, " ")
    .trim()
    .slice(0, 64);
}

function idOf(json: unknown): number | null {
  const id = typeof json === "object" && json !== null && "update_id" in json ? json.update_id : null;
  return typeof id === "number" && Number.isSafeInteger(id) ? id : null;
}
