/**
 * Hands updates to the webhook as Telegram does: one at a time, in order, again and again until it answers 2xx. Waits:
 * none before the second try, then doubling; what a `Retry-After` header says goes first. After a day an update is dropped.
 */
import type { WebhookInfo } from "grammy/types";
import type { ChatState, PendingUpdate } from "./chat-state.ts";
import { updateLifeMs } from "./limits.ts";

/** More updates than this may not wait: the owner is told that nobody takes them. */
export const maxPending = 1000;
const maxRetryAfterS = 3600;

export interface WebhookOptions {
  /** First and longest wait between tries, milliseconds. */
  firstMs: number;
  maxMs: number;
  /** How long the webhook may take to answer, milliseconds. */
  timeoutMs: number;
}

/** Telegram waits up to two minutes; on one machine, where headquarters restarts at will, that would feel broken. */
export const webhookDefaults: WebhookOptions = { firstMs: 1000, maxMs: 10_000, timeoutMs: 60_000 };

interface Target {
  url: string;
  secret: string;
  /** Empty: everything this stand-in sends. */
  allowed: readonly string[];
}

type Try = { ok: true } | { ok: false; error: string; retryAfterMs: number };

export type Webhook = ReturnType<typeof webhook>;

/** Starts as soon as a target is set; `onStatus` is called when what `info` shows has changed. */
export function webhook(state: ChatState, options: WebhookOptions, onStatus: () => void) {
  let target: Target | null = null;
  let lastError: { date: number; message: string } | null = null;
  let running = false;
  let stop = new AbortController();

  const run = async () => {
    if (running) return;
    running = true;
    let fails = 0;
    for (let head = state.pending()[0]; head !== undefined && target !== null; head = state.pending()[0]) {
      const { signal } = stop;
      const outcome = await deliver(target, head, signal);
      if (signal.aborted) {
        fails = 0;
        continue;
      }
      if (outcome.ok) {
        fails = 0;
        lastError = null;
        state.endUpdate(head.update.update_id, true);
      } else {
        lastError = { date: Math.floor(Date.now() / 1000), message: outcome.error };
        if (Date.now() - head.at > updateLifeMs) state.endUpdate(head.update.update_id, false);
        else await pause(outcome.retryAfterMs || (fails === 0 ? 0 : Math.min(options.maxMs, options.firstMs * 2 ** (fails - 1))), signal);
        fails += 1;
      }
      onStatus();
    }
    running = false;
  };

  const deliver = async (to: Target, { update }: PendingUpdate, signal: AbortSignal): Promise<Try> => {
    const kind = Object.keys(update).find((key) => key !== "update_id") ?? "";
    if (to.allowed.length > 0 && !to.allowed.includes(kind)) return { ok: true };
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (to.secret !== "") headers["x-telegram-bot-api-secret-token"] = to.secret;
    try {
      const response = await fetch(to.url, {
        method: "POST",
        headers,
        body: JSON.stringify(update),
        redirect: "manual",
        signal: AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]),
      });
      await response.body?.cancel();
      if (response.ok) return { ok: true };
      const retryAfter = Math.min(maxRetryAfterS, Number(response.headers.get("retry-after")) || 0);
      const error = `Wrong response from the webhook: ${response.status} ${response.statusText}`.trim();
      return { ok: false, error, retryAfterMs: retryAfter * 1000 };
    } catch (error) {
      return { ok: false, error: networkError(error), retryAfterMs: 0 };
    }
  };

  const restart = () => {
    stop.abort();
    stop = new AbortController();
    void run();
  };

  return {
    /** Points at another address, and tries what waits there at once. Null: nowhere, updates wait. */
    set(to: Target | null) {
      target = to;
      lastError = null;
      restart();
      onStatus();
    },
    /** There is something new to send. */
    kick() {
      void run();
    },
    info(): WebhookInfo {
      return {
        url: target?.url ?? "",
        has_custom_certificate: false,
        pending_update_count: state.pending().length,
        ...(lastError && { last_error_date: lastError.date, last_error_message: lastError.message }),
        ...(target && { max_connections: 1, ip_address: "127.0.0.1" }),
        ...(target && target.allowed.length > 0 && { allowed_updates: [...target.allowed] as NonNullable<WebhookInfo["allowed_updates"]> }),
      };
    },
    close() {
      target = null;
      stop.abort();
    },
  };
}

function networkError(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") return "Read timeout expired";
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (code === "ECONNREFUSED") return "Connection refused";
  return code === "ECONNRESET" || code === "UND_ERR_SOCKET" ? "Connection closed" : "Can't connect to the webhook";
}

/** Waits `ms`, less if `signal` aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
