/** The Bot API methods that a text bot needs, with Telegram's checks and error texts. */
import type { Message, User } from "grammy/types";
import * as z from "zod";
import { badRequest, tooMany } from "./api-error.ts";
import type { ChatState, StoredFile, StoredMessage } from "./chat-state.ts";
import { entitiesSchema, type Formatted, format } from "./entities.ts";
import { readKeyboard } from "./keyboard.ts";
import { chatActions, type Limits, maxAnswerText, maxCaption, maxDownload, maxText, maxUpload, reactions, tokenBucket } from "./limits.ts";
import type { Params } from "./params.ts";
import { setupMethods } from "./setup-methods.ts";
import type { Webhook } from "./webhook.ts";

export interface MethodsContext {
  bot: User;
  chat: Message["chat"];
  state: ChatState;
  webhook: Webhook;
  limits: Limits;
  strictUrls: boolean;
  /** Callback queries not answered yet: id → when they are too old, milliseconds since 1970. */
  queries: Map<string, number>;
}

/** A call's result. Throws `ApiError`. */
export type Method = (params: Params) => Promise<unknown> | unknown;

/** The methods by lower-case name: Telegram's are case-insensitive. */
export function botMethods(context: MethodsContext): ReadonlyMap<string, Method> {
  const { bot, chat, state, webhook, queries } = context;
  const sends = tokenBucket(context.limits.sends);
  const edits = tokenBucket(context.limits.edits);

  const inChat = (params: Params) => {
    if (!params.has("chat_id")) throw badRequest("chat_id is empty");
    if (params.int("chat_id") !== chat.id) throw badRequest("chat not found");
    // A private chat has no topics; Telegram refuses the parameter there.
    if (params.has("message_thread_id")) throw badRequest("message thread not found");
  };
  const paced = (bucket: { take(): number }) => {
    const wait = bucket.take();
    if (wait > 0) throw tooMany(wait);
  };
  const formatted = (params: Params, field: "text" | "caption"): Formatted => {
    if (params.has("parse_mode")) throw badRequest("this stand-in takes entities, not parse_mode");
    const entities = params.json(field === "text" ? "entities" : "caption_entities", entitiesSchema, "MessageEntity") ?? [];
    return format(params.text(field), entities);
  };
  const send = (params: Params, content: Partial<Message>, file?: StoredFile) => {
    const keyboard = readKeyboard(params, context.strictUrls);
    const reply = repliedTo(params, state);
    paced(sends);
    if (file) state.putFile(file);
    const at = Date.now();
    const message = {
      message_id: state.nextMessageId(),
      from: bot,
      chat,
      date: Math.floor(at / 1000),
      ...(reply && { reply_to_message: reply }),
      ...content,
      ...(keyboard && { reply_markup: keyboard }),
    } as Message;
    const silent = params.bool("disable_notification");
    state.put({ message, from: "bot", at, editedAt: null, silent, reactions: [], delivered: true });
    return message;
  };

  const methods: Record<string, Method> = {
    getMe: () => ({
      ...bot,
      can_join_groups: false,
      can_read_all_group_messages: false,
      supports_inline_queries: false,
      can_connect_to_business: false,
      has_main_web_app: false,
    }),

    sendMessage(params) {
      inChat(params);
      const { text, entities } = formatted(params, "text");
      if (text === "") throw badRequest("message text is empty");
      if (text.length > maxText) throw badRequest("message is too long");
      const preview = params.json("link_preview_options", z.looseObject({ is_disabled: z.boolean().optional() }), "link preview options");
      return send(params, {
        text,
        ...(entities.length > 0 && { entities }),
        ...(preview && { link_preview_options: preview }),
      } as Partial<Message>);
    },

    async sendDocument(params) {
      inChat(params);
      const file = params.file("document");
      if (file === null) {
        throw badRequest(
          params.has("document") ? "wrong remote file identifier specified: can't unserialize it" : "there is no document in the request",
        );
      }
      if (file.size === 0) throw badRequest("file must be non-empty");
      if (file.size > maxUpload) throw badRequest("file is too big");
      const { text, entities } = formatted(params, "caption");
      if (text.length > maxCaption) throw badRequest("message caption is too long");
      const stored = await storedFile(file);
      const content = {
        document: { file_name: stored.name, mime_type: stored.type, ...fileFields(stored) },
        ...(text !== "" && { caption: text }),
        ...(entities.length > 0 && { caption_entities: entities }),
      };
      return send(params, content as Partial<Message>, stored);
    },

    editMessageText(params) {
      inChat(params);
      const old = known(params, state, "message to edit not found");
      if (old.from !== "bot") throw badRequest("message can't be edited");
      if (old.message.text === undefined) throw badRequest("there is no text in the message to edit");
      const { text, entities } = formatted(params, "text");
      if (text === "") throw badRequest("message text is empty");
      if (text.length > maxText) throw badRequest("message is too long");
      const keyboard = readKeyboard(params, context.strictUrls);
      paced(edits);
      const { entities: _, reply_markup: __, ...kept } = old.message;
      const message = { ...kept, text, ...(entities.length > 0 && { entities }), ...(keyboard && { reply_markup: keyboard }) } as Message;
      if (sameContent(message, old.message)) {
        throw badRequest(
          "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message",
        );
      }
      const at = Date.now();
      const edited = { ...message, edit_date: Math.floor(at / 1000) } as Message;
      state.put({ ...old, message: edited, editedAt: at });
      return edited;
    },

    setMessageReaction(params) {
      inChat(params);
      const old = known(params, state, "message to react not found");
      const schema = z.array(z.object({ type: z.literal("emoji"), emoji: z.string() }));
      const given = (params.json("reaction", schema, "ReactionType") ?? []).map(({ emoji }) => emoji);
      if (given.length > 1) throw badRequest("REACTIONS_TOO_MANY");
      if (given.some((emoji) => !reactions.includes(emoji))) throw badRequest("REACTION_INVALID");
      state.put({ ...old, reactions: given });
      return true;
    },

    answerCallbackQuery(params) {
      const query = params.text("callback_query_id");
      const expires = queries.get(query);
      queries.delete(query);
      if (expires === undefined || expires < Date.now()) {
        throw badRequest("query is too old and response timeout expired or query ID is invalid");
      }
      const text = params.text("text");
      if (text.length > maxAnswerText) throw badRequest("MESSAGE_TOO_LONG");
      state.announce({ toast: { query, text, alert: params.bool("show_alert") } });
      return true;
    },

    sendChatAction(params) {
      inChat(params);
      if (!chatActions.includes(params.text("action"))) throw badRequest("wrong parameter action in request");
      state.announce({ typing: true });
      return true;
    },

    getFile(params) {
      if (!params.has("file_id")) throw badRequest("file_id not specified");
      const file = state.file(params.text("file_id"));
      if (file === null) throw badRequest("wrong file_id or the file is temporarily unavailable");
      if (file.data.length > maxDownload) throw badRequest("file is too big");
      return { ...fileFields(file), file_path: file.path };
    },
  };
  return new Map(Object.entries({ ...methods, ...setupMethods(state, webhook) }).map(([name, method]) => [name.toLowerCase(), method]));
}

function known(params: Params, state: ChatState, otherwise: string): StoredMessage {
  const id = params.int("message_id");
  const found = id === null ? null : state.message(id);
  if (found === null) throw badRequest(otherwise);
  return found;
}

/** The message that is replied to, one level deep as Telegram shows it. */
function repliedTo(params: Params, state: ChatState): Message | null {
  const schema = z.looseObject({ message_id: z.int(), allow_sending_without_reply: z.boolean().optional() });
  const reply = params.json("reply_parameters", schema, "reply parameters");
  if (reply === null) return null;
  const found = state.message(reply.message_id);
  if (found === null && !reply.allow_sending_without_reply) throw badRequest("message to be replied not found");
  return found && withoutReply(found.message);
}

/** `message` as it is quoted inside another. */
export function withoutReply(message: Message): Message {
  const { reply_to_message: _, ...rest } = message as Message & { reply_to_message?: unknown };
  return rest as Message;
}

function sameContent(a: Message, b: Message): boolean {
  const content = ({ text, entities, reply_markup }: Message) => JSON.stringify([text, entities ?? [], reply_markup ?? null]);
  return content(a) === content(b);
}

async function storedFile(file: File): Promise<StoredFile> {
  const id = `BQAC${crypto.randomUUID().replaceAll("-", "")}`;
  const name = file.name.replace(/[/\\]/g, "_") || "file";
  const extension = name.match(/\.[a-zA-Z0-9]{1,8}$/)?.[0] ?? "";
  const data = new Uint8Array(await file.arrayBuffer());
  return { id, name, type: typeOf(name), path: `documents/file_${id.slice(4, 12)}${extension}`, data };
}

/** Telegram guesses the type from the name. */
function typeOf(name: string): string {
  const types: Record<string, string> = { md: "text/markdown", txt: "text/plain", log: "text/plain", json: "application/json" };
  if (/\.(diff|patch)$/.test(name)) return "text/x-diff";
  return types[name.split(".").pop() ?? ""] ?? "application/octet-stream";
}

function fileFields(file: { id: string; data: Uint8Array }) {
  return { file_id: file.id, file_unique_id: `AgAD${file.id.slice(4, 16)}`, file_size: file.data.length };
}
