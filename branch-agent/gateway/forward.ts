/** One request through the gateway: read within limits, sent with the real key, answered as fast as its client takes it. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { UacError } from "#core/errors.ts";
import { refusal } from "#core/wire-refusal.ts";
import { type Route, targetOf, type Upstream } from "./routes.ts";

export interface GatewayLimits {
  bodyBytes: number;
  /** A request must be here whole after so long, milliseconds. */
  requestMs: number;
  /** A call that a provider adds nothing to for so long is broken off. */
  silenceMs: number;
  /** A call may take so long altogether. */
  callMs: number;
  /** Calls of one desk at once. */
  calls: number;
}

interface Passage {
  incoming: IncomingMessage;
  response: ServerResponse;
  route: Route;
  upstream: Upstream;
  /** `send` under the meter. */
  metered(send: typeof fetch): typeof fetch;
  limits: GatewayLimits;
  /** The desk closes. */
  closing: AbortSignal;
}

/** Of the connection, of the client's own key, or made anew. */
const notForwarded = new Set(
  "host connection keep-alive proxy-authorization proxy-connection te trailer transfer-encoding upgrade expect content-length accept-encoding authorization x-api-key cookie".split(
    " ",
  ),
);
const notReturned = new Set("connection keep-alive transfer-encoding content-length content-encoding set-cookie".split(" "));

/** Why a call is broken off before its end. */
const causes = {
  gone: "was not waited for",
  closing: "was not waited for: the task is over",
  silent: "said nothing for too long",
  late: "took too long",
};
type Cause = keyof typeof causes;

/** Resolves when the answer is out and in the ledger, or the client gone. */
export async function forward(passage: Passage): Promise<void> {
  const { incoming, response, route, upstream, limits, closing } = passage;
  const stop = new AbortController();
  let cause: Cause | null = null;
  const end = (why: Cause) => {
    cause ??= why;
    stop.abort();
  };
  const onClosing = () => end("closing");
  response.once("close", () => end("gone"));
  closing.addEventListener("abort", onClosing, { once: true });
  const late = setTimeout(end, limits.callMs, "late");
  let silence: NodeJS.Timeout | undefined;
  // It may have waited for its budget before it is sent.
  const send: typeof fetch = (input, init) => {
    silence = setTimeout(end, limits.silenceMs, "silent");
    return fetch(input, init);
  };
  try {
    const body = incoming.method === "POST" ? await bodyOf(incoming, limits.bodyBytes) : null;
    const reply = await passage.metered(send)(targetOf(route, upstream), {
      method: incoming.method ?? "GET",
      headers: headersFor(incoming.headers, upstream),
      ...(body && { body }),
      signal: stop.signal,
    });
    silence?.refresh();
    response.writeHead(reply.status, Object.fromEntries([...reply.headers].filter(([name]) => !notReturned.has(name))));
    if (reply.ok) await pipe(reply, response, () => silence?.refresh());
    else response.end(withoutKey(await reply.text(), upstream));
  } catch (error) {
    if (cause === "gone") return;
    // What was begun can only be cut: a client must not take it for whole.
    if (response.headersSent) response.destroy();
    else if (error instanceof UacError) answer(response, route.wire, error.code, error.message);
    else answer(response, route.wire, "llm_unreachable", `The provider ${upstream.provider} ${whyNot(error, cause)}.`);
  } finally {
    clearTimeout(silence);
    clearTimeout(late);
    closing.removeEventListener("abort", onClosing);
  }
}

function whyNot(error: unknown, why: Cause | null): string {
  if (why) return causes[why];
  const cause = error instanceof Error ? error.cause : null;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "the connection failed";
  return `can't be reached: ${code}`;
}

async function bodyOf(incoming: IncomingMessage, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most) throw new UacError("too_large", `The request is larger than the gateway takes: ${most} bytes.`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function headersFor(given: IncomingHttpHeaders, { key }: Upstream): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !notForwarded.has(name)) headers.set(name, String(value));
  }
  if (key?.kind === "x-api-key") headers.set("x-api-key", key.value);
  if (key?.kind === "bearer") headers.set("authorization", `Bearer ${key.value}`);
  return headers;
}

/** No faster than the client reads: what it does not take is not asked for. */
async function pipe(reply: Response, response: ServerResponse, onPiece: () => void) {
  response.flushHeaders();
  const reader = reply.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done) break;
    onPiece();
    if (!response.write(value) && !response.destroyed) await drained(response);
    if (response.destroyed) {
      await reader?.cancel();
      return;
    }
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

/** Some endpoints quote the key that they refuse. */
function withoutKey(text: string, { key }: Upstream): string {
  return key ? text.replaceAll(key.value, "[key]") : text;
}

/** An error in the words of the wire. */
export function answer(response: ServerResponse, ...why: Parameters<typeof refusal>): void {
  const { status, headers, body } = refusal(...why);
  // The rest of a body that nobody reads would be taken for the next request.
  response.writeHead(status, { "content-type": "application/json", connection: "close", ...headers });
  response.end(JSON.stringify(body));
}
