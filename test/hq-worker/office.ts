/** Headquarters behind its own door: the app with a context as a program would make it, and what was rung and left for later. */

import type { Script } from "#adapters/llm/scripted.ts";
import { fingerprint, hashSecret } from "#adapters/signer/digest.ts";
import { hqApp } from "../../hq-worker/app.ts";
import type { HqContext } from "../../hq-worker/context.ts";
import { workChat } from "../../hq-worker/turn.ts";
import { hqEnv, openHq, owner } from "../factory/headquarters.ts";

export const digest = { hash: hashSecret, fingerprint };

export async function openOffice(options: { script?: Script; env?: Record<string, string> } = {}) {
  const bench = await openHq(options);
  const app = hqApp();
  const rings: [number, number | undefined][] = [];
  const jobs: Promise<unknown>[] = [];
  const context: HqContext = {
    hq: bench.hq,
    desks: { ring: async (chat, at) => void rings.push([chat, at]) },
    digest,
    dashboard: { fetch: () => new Response("the dashboard") },
    later: (work) => void jobs.push(work.catch((error: unknown) => bench.hq.log.error("later", { error }))),
  };
  const request = (path: string, init?: RequestInit) => app.request(`https://hq.example${path}`, init, context);

  return {
    ...bench,
    context,
    rings,
    request,
    /** What goes on after the responses. */
    settled: () => Promise.all(jobs.splice(0)),
    post: (path: string, body: string, headers: Record<string, string> = {}) => request(path, { method: "POST", body, headers }),
    webhook: (update: unknown, secret = hqEnv.TELEGRAM_WEBHOOK_SECRET ?? "") =>
      request("/telegram/webhook", {
        method: "POST",
        body: typeof update === "string" ? update : JSON.stringify(update),
        headers: { "x-telegram-bot-api-secret-token": secret },
      }),
    /** Works the owner's messages off, as the desk does. Resolves to how many events that took. */
    async work(): Promise<number> {
      let events = 0;
      while ((await workChat(bench.hq, digest, owner)) !== null) {
        events += 1;
        if (events > 50) throw new Error("the desk never ends");
      }
      return events;
    },
    /** What waits to be said, oldest first: key and text. */
    async letters() {
      const rows = await bench.rows(
        "select key, coalesce(body_json ->> '$.content.text', body_json ->> '$.text') as text from letters where body_json ->> '$.kind' <> 'react' order by id",
      );
      return rows.map(({ key, text }) => [String(key), String(text)] as const);
    },
  };
}

export type Office = Awaited<ReturnType<typeof openOffice>>;

const from = { id: owner, is_bot: false, first_name: "Alice" };
const chat = { id: owner, type: "private", first_name: "Alice" };

/** The owner's message as Telegram sends it. */
export function message(id: number, text: string, changed: Record<string, unknown> = {}) {
  return { update_id: id, message: { message_id: 10 + id, date: 1, from, chat, text, ...changed } };
}

/** The owner's tap on a button. */
export function tap(id: number, data: string) {
  const tapped = { message_id: 5, date: 1, chat, from: { ...from, id: 1, is_bot: true } };
  return { update_id: id, callback_query: { id: `query-${id}`, from, message: tapped, chat_instance: "1", data } };
}
