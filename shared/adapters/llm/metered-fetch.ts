/**
 * `fetch` under the meter: what an SDK or a gateway sends to a provider is reserved for before it leaves, and is in the ledger before
 * the last of its answer is passed on. A call that was cut, refused or left costs what is known of it, and never nothing by mistake.
 */
import { UacError } from "#core/errors.ts";
import { type BillingMode, noUsage } from "#core/ledger.ts";
import { refusal } from "#core/wire-refusal.ts";
import type { Wire } from "#core/wire-usage.ts";
import type { CallEnd, Metering, OpenCall, PlannedCall } from "#ports/metering.ts";
import { planOf } from "./planned-call.ts";
import { type Tap, usageTap } from "./usage-tap.ts";

export interface MeteredOptions {
  provider: string;
  wire: Wire;
  billing?: BillingMode;
  /** Who calls: `uac`, the default, or an engine of somebody else's. */
  engine?: string;
  fetch?: typeof fetch;
}

/** What these paths answer is paid for. */
const endpoints: Readonly<Record<Wire, RegExp>> = {
  anthropic: /\/messages$/,
  chat: /\/chat\/completions$/,
  responses: /\/responses$/,
};

/**
 * Only POSTs to the wire's own endpoint are metered; all else (lists of models, counts of tokens) is passed on as it is. Where the meter
 * refuses, the answer is an HTTP error in the words of the wire, and nothing is sent.
 */
export function meteredFetch(metering: Metering, options: MeteredOptions): typeof fetch {
  const { provider, wire, billing = "metered", engine = "uac" } = options;
  const go = options.fetch ?? fetch;
  const send: typeof fetch = async (url, init) => {
    // Followed, a redirect takes a key in a header of its own, and the prompt, to wherever it leads.
    const response = await go(url, { ...init, redirect: "manual" });
    return redirects.has(response.status) ? redirected(response, wire, provider) : response;
  };
  return async (input, init) => {
    const request = input instanceof Request ? new Request(input, init) : null;
    const url = request?.url ?? String(input);
    const { method = "GET", signal } = request ?? init ?? {};
    const headers = new Headers(request?.headers ?? init?.headers);
    const step = takeNumber(headers, "x-uac-step");
    const tries = takeNumber(headers, "x-uac-try") ?? 1;
    const body = request?.body ?? init?.body ?? null;
    if (method !== "POST" || !endpoints[wire].test(new URL(url).pathname)) {
      return send(url, { ...init, method, headers, body, ...(signal && { signal }) });
    }
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(await new Response(body).arrayBuffer());
    const { plan, unmetered } = planOf(wire, bytes);
    if (unmetered) return refused(wire, "bad_input", unmetered);
    const call: PlannedCall = { provider, wire, billing, engine, step, try: tries, ...plan };

    let open: OpenCall;
    try {
      open = await metering.open(call, signal ?? undefined);
    } catch (error) {
      if (signal?.aborted || !(error instanceof UacError)) throw error;
      return refused(wire, error.code, error.message);
    }
    return exchange(open, call, () => send(url, { ...init, method, headers, body: bytes, ...(signal && { signal }) }), signal ?? null);
  };
}

const redirects = new Set([301, 302, 303, 307, 308]);

/** Where it leads is not told: an engine would go there by itself, without a meter. */
async function redirected(response: Response, wire: Wire, provider: string): Promise<Response> {
  await response.body?.cancel();
  const why = `${provider} answers with a redirect, which is not followed: its key would go along. Set its base URL to where it is.`;
  return refused(wire, "not_found", why);
}

function refused(...why: Parameters<typeof refusal>): Response {
  const { status, headers, body } = refusal(...why);
  return Response.json(body, { status, headers });
}

async function exchange(open: OpenCall, call: PlannedCall, send: () => Promise<Response>, signal: AbortSignal | null): Promise<Response> {
  const tap = usageTap(call.wire);
  const ids: { requestId: string | null } = { requestId: null };
  const settle = (outcome: CallEnd["outcome"], known?: Pick<CallEnd, "usage" | "source">) => {
    const { complete, model, ...told } = tap.told(call.inputTokens);
    const messageId = told.messageId?.slice(0, 128) ?? null;
    const end = { ...told, ...known, ...ids, messageId, model: (model ?? call.model).slice(0, 128) };
    return open.settle({ ...end, outcome: outcome === "interrupted" && complete ? "ok" : outcome });
  };

  let response: Response;
  if (signal?.aborted) {
    // While it was reserved for: nothing has left.
    await settle("interrupted", nothing);
    throw signal.reason;
  }
  try {
    response = await send();
  } catch (error) {
    // What never got through costs nothing; what got lost on the way may have been worked on.
    await settle(signal?.aborted ? "interrupted" : "failed", neverSent(error) ? nothing : undefined);
    throw error;
  }
  ids.requestId = (response.headers.get("request-id") ?? response.headers.get("x-request-id"))?.slice(0, 128) ?? null;
  if (!response.ok) {
    await settle("failed", mayHaveWorked.has(response.status) ? undefined : nothing);
    return response;
  }
  return /\bjson\b/i.test(response.headers.get("content-type") ?? "")
    ? inOnePiece(response, tap, settle)
    : streamed(response, tap, settle, signal);
}

type Settle = (outcome: CallEnd["outcome"]) => Promise<void>;

/** A refused request is not billed by any provider that we know. */
const nothing = { usage: noUsage, source: "estimated" } as const;
/** A proxy that gave up waiting: the provider behind it may have answered all the same. */
const mayHaveWorked = new Set([408, 504, 524]);

const unsent = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);

function neverSent(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && unsent.has(String(cause.code))) return true;
    // A port that fetch calls nobody at (https://fetch.spec.whatwg.org/#port-blocking): Node's has no code for it.
    if (cause.message === "bad port") return true;
  }
  return false;
}

async function inOnePiece(response: Response, tap: Tap, settle: Settle): Promise<Response> {
  const text = await response.text().catch(async (error: unknown) => {
    await settle("failed");
    throw error;
  });
  tap.whole(text);
  await settle(tap.told(0).complete ? "ok" : "failed");
  return new Response(text, response);
}

/** Passed on piece by piece, as fast as it is taken; the piece with the end in it waits for the ledger. */
function streamed(response: Response, tap: Tap, settle: Settle, signal: AbortSignal | null): Response {
  const reader = response.body?.getReader();
  const left = () => void settle("interrupted").catch(() => undefined);
  signal?.addEventListener("abort", left, { once: true });
  const over = () => signal?.removeEventListener("abort", left);
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(to) {
        try {
          const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
          if (done) await settle(tap.told(0).complete ? "ok" : "failed");
          else if (tap.add(value)) await settle("ok");
          if (!done) return to.enqueue(value);
          over();
          to.close();
        } catch (error) {
          over();
          await settle(signal?.aborted ? "interrupted" : "failed");
          throw error;
        }
      },
      async cancel(reason) {
        over();
        // The provider hears of it at once; the ledger does not wait for it.
        const gone = reader?.cancel(reason).catch(() => undefined);
        await settle("interrupted");
        await gone;
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, response);
}

function takeNumber(headers: Headers, name: string): number | null {
  const value = headers.get(name);
  headers.delete(name);
  return value !== null && /^\d{1,9}$/.test(value) ? Number(value) : null;
}
