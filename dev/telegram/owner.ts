/** What the owner does in the chat: typing, tapping; and what the page shows of it. */
import type { Message, MessageEntity, Update, User } from "grammy/types";
import type { ChatState, StoredMessage } from "./chat-state.ts";
import { formatTyped } from "./entities.ts";
import { maxText } from "./limits.ts";
import { withoutReply } from "./methods.ts";
import { maxPending, type Webhook } from "./webhook.ts";

/** A message as the page and the tests see it. */
export interface ChatMessage {
  id: number;
  from: "owner" | "bot";
  /** Milliseconds since 1970: when it was written, and last edited. */
  at: number;
  editedAt: number | null;
  /** Of a document: its caption. */
  text: string;
  entities: MessageEntity[];
  replyTo: { id: number; from: "owner" | "bot"; text: string } | null;
  silent: boolean;
  buttons: { text: string; data?: string; url?: string }[][];
  document: { name: string; type: string; size: number; url: string } | null;
  reactions: string[];
  /** Of the owner's messages: the webhook took it. */
  delivered: boolean;
}

/** Telegram's own figure is not documented; about this. Milliseconds. */
const queryLifeMs = 15 * 60 * 1000;
const queriesKept = 1000;

export type Owner = ReturnType<typeof owner>;

/** Throws with a sentence for the owner where something can't be done. */
export function owner(user: User, chat: Message["chat"], state: ChatState, webhook: Webhook, queries: Map<string, number>) {
  let lastQuery = BigInt(Date.now()) << 20n;

  const room = () => {
    if (state.pending().length >= maxPending) throw new Error(`${maxPending} updates wait already, and the webhook takes none of them.`);
  };
  const queue = (content: Omit<Update, "update_id">, message: number | null) => {
    room();
    const update = state.addUpdate(content, message, Date.now());
    webhook.kick();
    return update;
  };

  return {
    /** Writes `text`, in reply to a message if `replyTo` is given. */
    say(text: string, replyTo?: number): ChatMessage {
      const typed = formatTyped(text);
      if (typed.text === "") throw new Error("There is nothing to send.");
      if (typed.text.length > maxText) throw new Error(`A message has at most ${maxText} characters; this one has ${typed.text.length}.`);
      room();
      const original = replyTo === undefined ? null : state.message(replyTo);
      if (replyTo !== undefined && original === null) throw new Error(`There is no message ${replyTo} to reply to.`);
      const at = Date.now();
      const message = {
        message_id: state.nextMessageId(),
        from: user,
        chat,
        date: Math.floor(at / 1000),
        ...(original && { reply_to_message: withoutReply(original.message) }),
        text: typed.text,
        ...(typed.entities.length > 0 && { entities: typed.entities }),
      } as Message;
      const stored: StoredMessage = { message, from: "owner", at, editedAt: null, silent: false, reactions: [], delivered: false };
      state.put(stored);
      queue({ message } as Omit<Update, "update_id">, message.message_id);
      return view(stored, chat);
    },

    /** Taps the button with `data` on a message of the bot's; returns the id of the callback query. */
    tap(messageId: number, data: string): string {
      const stored = state.message(messageId);
      const rows = stored?.message.reply_markup?.inline_keyboard ?? [];
      if (!stored || !rows.flat().some((button) => "callback_data" in button && button.callback_data === data)) {
        throw new Error("That button is not there any more.");
      }
      lastQuery += 1n;
      const id = String(lastQuery);
      queries.set(id, Date.now() + queryLifeMs);
      if (queries.size > queriesKept) queries.delete([...queries.keys()][0] as string);
      const { message } = stored;
      queue(
        { callback_query: { id, from: user, message, chat_instance: String(chat.id * 7919), data } } as Omit<Update, "update_id">,
        null,
      );
      return id;
    },

    /** Sends any update as if Telegram had it: strangers, groups, what this chat can't type. */
    push: (content: Omit<Update, "update_id">) => queue(content, null),

    messages: (): ChatMessage[] => state.messages().map((stored) => view(stored, chat)),
  };
}

export function view({ message, ...stored }: StoredMessage, chat: Message["chat"]): ChatMessage {
  const reply = (message as Message & { reply_to_message?: Message }).reply_to_message;
  const { document } = message;
  return {
    id: message.message_id,
    from: stored.from,
    at: stored.at,
    editedAt: stored.editedAt,
    text: message.text ?? message.caption ?? "",
    entities: message.entities ?? message.caption_entities ?? [],
    replyTo: reply
      ? {
          id: reply.message_id,
          from: reply.from?.id === chat.id ? "owner" : "bot",
          text: reply.text ?? reply.caption ?? reply.document?.file_name ?? "",
        }
      : null,
    silent: stored.silent,
    buttons: (message.reply_markup?.inline_keyboard ?? []).map((row) =>
      row.map((button) => ({
        text: button.text,
        ...("callback_data" in button && { data: button.callback_data }),
        ...("url" in button && { url: button.url }),
      })),
    ),
    document: document
      ? {
          name: document.file_name ?? "file",
          type: document.mime_type ?? "",
          size: document.file_size ?? 0,
          url: `/dev/file/${document.file_id}`,
        }
      : null,
    reactions: stored.reactions,
    delivered: stored.delivered,
  };
}
