/**
 * A stand-in for Telegram on one machine: the Bot API on the wire, one private chat between the owner and the bot, and a
 * page to chat on. No message leaves the machine.
 *
 *   {apiRoot}/bot<token>/<method>, {apiRoot}/file/bot<token>/<path>    the Bot API
 *   GET  /                   the chat page
 *   POST /dev/say {text, replyTo?} → {message}      the owner types; JSON, as are all of these
 *   POST /dev/tap {message, data} → {query}         the owner taps a button
 *   GET  /dev/messages → {messages: ChatMessage[]}  the chat, oldest first
 *   GET  /dev/calls → {calls: {method, status, at}[]}  the latest Bot API calls
 *   POST /dev/fault Fault                           what should go wrong with the next calls
 *   GET  /dev/events                                server-sent events for the page
 *   GET  /dev/file/<id>                             a document
 */
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import type { Message, Update, User } from "grammy/types";
import { Hono } from "hono";
import { botApi, type Fault } from "./bot-api.ts";
import { chatPage } from "./chat-page.ts";
import { openChat } from "./chat-state.ts";
import { type Limits, telegramLimits } from "./limits.ts";
import { botMethods } from "./methods.ts";
import { type ChatMessage, owner as ownerOf } from "./owner.ts";
import { webhook as makeWebhook, type WebhookOptions, webhookDefaults } from "./webhook.ts";

export type { Fault } from "./bot-api.ts";
export type { ChatMessage } from "./owner.ts";

export interface TelegramOptions {
  /** `<digits>:<letters>`, as BotFather gives them. */
  botToken: string;
  /** Null: updates wait until `setWebhook`. */
  webhook: { url: string; secret: string } | null;
  /** Numeric id; a private chat has the id of its user. */
  owner: { id: number; name: string; username?: string };
  bot?: { name: string; username: string };
  /** 0 or absent: any free port of 127.0.0.1. */
  port?: number;
  /** Absent: the chat is forgotten at the end. One file per chat: two servers must not share it. */
  stateFile?: string;
  limits?: Partial<Limits>;
  /** As many messages as are remembered. */
  messagesKept?: number;
  /** How updates are retried. */
  retry?: Partial<WebhookOptions>;
  /** Refuse button addresses without a dot in the host (localhost), as Telegram does. Off: a page on this machine may be linked. */
  strictUrls?: boolean;
}

export interface TelegramStandIn {
  apiRoot: string;
  chatUrl: string;
  port: number;
  setWebhook(url: string, secret: string): void;
  /** The owner types; throws with the reason if that can't be. */
  say(text: string, replyTo?: number): ChatMessage;
  /** The owner taps; returns the callback query's id. */
  tap(message: number, data: string): string;
  /** Any update, under the next update id. */
  push(content: Omit<Update, "update_id">): Update;
  messages(): ChatMessage[];
  /** Resolves with the first message, there already or to come (in any version), that fits; rejects after `ms`. */
  waitFor(fits: (message: ChatMessage) => boolean, ms: number): Promise<ChatMessage>;
  /** Updates that the webhook has not taken yet. */
  pending(): number;
  fail(fault: Fault): void;
  calls(): readonly { method: string; status: number; at: number }[];
  /** The latest answers to taps, oldest first. */
  answers(): readonly { query: string; text: string; alert: boolean }[];
  close(): Promise<void>;
}

const answersKept = 1000;

/** Starts it; resolves when it listens. */
export async function startTelegram(options: TelegramOptions): Promise<TelegramStandIn> {
  const botId = options.botToken.match(/^(\d{1,15}):[A-Za-z0-9_-]+$/)?.[1];
  if (botId === undefined) throw new Error("botToken must look like 123456:letters-and-digits, as BotFather gives them.");
  const { name, username } = options.bot ?? { name: "Simone", username: "simone_hq_bot" };
  const bot: User = { id: Number(botId), is_bot: true, first_name: name, username };
  const { owner } = options;
  const named = { first_name: owner.name, ...(owner.username !== undefined && { username: owner.username }) };
  const user = { id: owner.id, is_bot: false, ...named, language_code: "en" } as User;
  const chat = { id: owner.id, ...named, type: "private" } as Message["chat"];

  // Without a state file ids must still not repeat over restarts: whoever is behind the webhook remembers them.
  const state = openChat(options.stateFile, Math.floor(Date.now() / 1000), options.messagesKept);
  const webhook = makeWebhook(state, { ...webhookDefaults, ...options.retry }, () => state.announce({ status: true }));
  const queries = new Map<string, number>();
  const limits = { ...telegramLimits, ...options.limits };
  const methods = botMethods({ bot, chat, state, webhook, limits, strictUrls: options.strictUrls ?? false, queries });
  const api = botApi(options.botToken, methods, state);
  const answers: { query: string; text: string; alert: boolean }[] = [];
  state.watch((change) => {
    if ("toast" in change) answers.push(change.toast);
    if (answers.length > answersKept) answers.shift();
  });
  const hands = ownerOf(user, chat, state, webhook, queries);

  const app = new Hono();
  app.route("/", api.app);
  app.route("/", chatPage({ state, owner: hands, webhook, api, bot: { name, username }, chat }));
  const server = await new Promise<ReturnType<typeof serve>>((resolve, reject) => {
    const listening = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: options.port ?? 0 }, () => resolve(listening));
    listening.once("error", reject);
  });
  const { port } = server.address() as AddressInfo;
  if (options.webhook) webhook.set({ ...options.webhook, allowed: [] });

  return {
    apiRoot: `http://127.0.0.1:${port}`,
    chatUrl: `http://127.0.0.1:${port}/`,
    port,
    setWebhook: (url, secret) => webhook.set({ url, secret, allowed: [] }),
    say: hands.say,
    tap: hands.tap,
    push: hands.push,
    messages: hands.messages,
    waitFor(fits, ms) {
      const found = () => hands.messages().find(fits);
      return new Promise((resolve, reject) => {
        const done = (end: () => void) => {
          clearTimeout(timer);
          stop();
          end();
        };
        const timer = setTimeout(() => done(() => reject(new Error(`No such message came within ${ms} ms.`))), ms);
        const stop = state.watch(() => {
          const message = found();
          if (message) done(() => resolve(message));
        });
        const message = found();
        if (message) done(() => resolve(message));
      });
    },
    pending: () => state.pending().length,
    fail: api.fail,
    calls: api.calls,
    answers: () => answers,
    async close() {
      webhook.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ("closeAllConnections" in server) server.closeAllConnections();
      });
    },
  };
}
