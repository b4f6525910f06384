/**
 * The chat page and its wire. Whoever posts here speaks as the owner, so only this machine's own page and programs may:
 * the Host must be a loopback name (no DNS rebinding) and a body must be JSON (no form of a foreign page).
 */
import { readFileSync } from "node:fs";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { secureHeaders } from "hono/secure-headers";
import { streamSSE } from "hono/streaming";
import * as z from "zod";
import { type BotApi, faultSchema } from "./bot-api.ts";
import type { Change, ChatState } from "./chat-state.ts";
import { type Owner, view } from "./owner.ts";
import type { Webhook } from "./webhook.ts";

const loopback = new Set(["127.0.0.1", "localhost", "[::1]"]);
const pingEveryMs = 15_000;
const maxBody = 64 * 1024;

const sayBody = z.strictObject({ text: z.string(), replyTo: z.int().optional() });
const tapBody = z.strictObject({ message: z.int(), data: z.string() });

const page = new Map(
  [
    ["/", "index.html", "text/html; charset=utf-8"],
    ["/chat.css", "chat.css", "text/css; charset=utf-8"],
    ["/message.css", "message.css", "text/css; charset=utf-8"],
    ["/chat.js", "chat.js", "text/javascript; charset=utf-8"],
    ["/message.js", "message.js", "text/javascript; charset=utf-8"],
    ["/icon.svg", "icon.svg", "image/svg+xml"],
  ].map(([path, file, type]) => [path as string, { file: new URL(`./page/${file}`, import.meta.url), type: type as string }]),
);

export interface PageContext {
  state: ChatState;
  owner: Owner;
  webhook: Webhook;
  api: BotApi;
  bot: { name: string; username: string };
  chat: Parameters<typeof view>[1];
}

export function chatPage({ state, owner, webhook, api, bot, chat }: PageContext) {
  const app = new Hono();

  app.use(async (c, next) => {
    if (!loopback.has(new URL(c.req.url).hostname)) return c.text("This page is for the machine it runs on.", 403);
    const origin = c.req.header("origin");
    if (origin !== undefined && origin !== new URL(c.req.url).origin) return c.text("Another page may not speak here.", 403);
    if (c.req.method === "POST" && c.req.header("content-type")?.split(";")[0] !== "application/json") {
      return c.text("Send JSON with content-type application/json.", 415);
    }
    return next();
  });
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
      strictTransportSecurity: false,
      referrerPolicy: "no-referrer",
    }),
    bodyLimit({ maxSize: maxBody }),
  );

  for (const [path, { file, type }] of page) {
    app.get(path, () => new Response(readFileSync(file), { headers: { "content-type": type, "cache-control": "no-cache" } }));
  }

  const status = () => statusOf(webhook, state);

  app.get("/dev/messages", (c) => c.json({ messages: owner.messages() }));
  app.get("/dev/calls", (c) => c.json({ calls: api.calls() }));
  app.post("/dev/say", async (c) => {
    const { text, replyTo } = sayBody.parse(await c.req.json());
    return c.json({ message: owner.say(text, replyTo) });
  });
  app.post("/dev/tap", async (c) => {
    const { message, data } = tapBody.parse(await c.req.json());
    return c.json({ query: owner.tap(message, data) });
  });
  app.post("/dev/fault", async (c) => {
    api.fail(faultSchema.parse(await c.req.json()));
    return c.json({});
  });

  app.get("/dev/file/:id", (c) => {
    const file = state.file(c.req.param("id"));
    if (file === null) return c.text("That file is not kept any more.", 404);
    // Always as a download of plain bytes: whatever a file holds, it never runs on this page's origin.
    return new Response(Buffer.from(file.data), {
      headers: {
        "content-type": "application/octet-stream",
        "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(file.name)}`,
        "x-content-type-options": "nosniff",
      },
    });
  });

  app.get("/dev/events", (c) =>
    streamSSE(c, async (stream) => {
      const queue: Change[] = [];
      let wake = () => {};
      const stop = state.watch((change) => {
        queue.push(change);
        wake();
      });
      stream.onAbort(() => {
        stop();
        wake();
      });
      const send = (event: string, data: unknown) => stream.writeSSE({ event, data: JSON.stringify(data) });
      await send("snapshot", { bot, messages: owner.messages(), ...status() });
      while (!stream.aborted) {
        for (let change = queue.shift(); change !== undefined; change = queue.shift()) {
          if ("message" in change) await send("message", view(change.message, chat));
          else if ("toast" in change) await send("toast", change.toast);
          else if ("typing" in change) await send("typing", {});
          else await send("status", status());
        }
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, pingEveryMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
          if (queue.length > 0 || stream.aborted) wake();
        });
        if (queue.length === 0 && !stream.aborted) await stream.write(": still here\n\n");
      }
    }),
  );

  app.onError((error, c) => {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : error.message;
    return c.json({ error: why }, 400);
  });
  return app;
}

/** What the page says of the webhook, and the commands it offers. */
function statusOf(webhook: Webhook, state: ChatState) {
  const { url, pending_update_count: pending, last_error_message: error } = webhook.info();
  return { webhook: { set: url !== "", pending, error: error ?? null }, commands: state.commands() };
}
