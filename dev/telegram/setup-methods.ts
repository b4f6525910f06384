/** The Bot API methods by which a bot is set up: its webhook and its commands. */
import { z } from "zod";
import { ApiError, badRequest } from "./api-error.ts";
import type { ChatState } from "./chat-state.ts";
import type { Method } from "./methods.ts";
import type { Webhook } from "./webhook.ts";

const commandsSchema = z
  .array(z.object({ command: z.string().regex(/^[a-z0-9_]{1,32}$/), description: z.string().min(1).max(256) }))
  .max(100);

const maxLongPollS = 50;
const longPollStepMs = 100;

export function setupMethods(state: ChatState, webhook: Webhook): Record<string, Method> {
  return {
    setMyCommands(params) {
      const list = params.json("commands", commandsSchema, "BotCommand");
      if (list === null) throw badRequest('parameter "commands" is required');
      state.setCommands(list);
      return true;
    },
    getMyCommands: () => state.commands(),

    setWebhook(params) {
      const url = params.text("url");
      const secret = params.text("secret_token");
      if (secret.length > 256) throw badRequest("secret token is too long");
      if (!/^[A-Za-z0-9_-]*$/.test(secret)) throw badRequest("secret token contains unallowed characters");
      if (url !== "" && !URL.canParse(url)) throw badRequest("invalid webhook URL specified");
      if (url !== "" && !mayHook(new URL(url))) throw badRequest("bad webhook: An HTTPS URL must be provided for webhook");
      if (params.bool("drop_pending_updates")) dropPending(state);
      const allowed = params.json("allowed_updates", z.array(z.string()), "allowed_updates") ?? [];
      webhook.set(url === "" ? null : { url, secret, allowed });
      return true;
    },
    deleteWebhook(params) {
      if (params.bool("drop_pending_updates")) dropPending(state);
      webhook.set(null);
      return true;
    },
    getWebhookInfo: () => webhook.info(),
    async getUpdates(params) {
      if (webhook.info().url) {
        throw new ApiError(
          409,
          "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
        );
      }
      const offset = params.int("offset") ?? 0;
      for (const { update } of [...state.pending()]) if (update.update_id < offset) state.endUpdate(update.update_id, true);
      const until = Date.now() + Math.min(params.int("timeout") ?? 0, maxLongPollS) * 1000;
      while (state.pending().length === 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, longPollStepMs));
      return state
        .pending()
        .slice(0, params.int("limit") ?? 100)
        .map(({ update }) => update);
    },
  };
}

/** Telegram takes HTTPS only; a stand-in on one machine also takes plain HTTP to that machine. */
function mayHook(url: URL): boolean {
  return url.protocol === "https:" || (url.protocol === "http:" && ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname));
}

function dropPending(state: ChatState) {
  for (const { update } of [...state.pending()]) state.endUpdate(update.update_id, false);
}
