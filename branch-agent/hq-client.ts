/** Headquarters over HTTPS. Every request has a time limit; nothing is retried here: the callers' loops do that. */
import type { ZodType } from "zod";
import { type ErrorCode, errorCodes, UacError } from "#core/errors.ts";
import { claimReplySchema, enrolReplySchema, heartbeatReplySchema, paths, refusalSchema, timeSchema } from "#core/hq-api.ts";
import type { Hq } from "#ports/hq.ts";

export interface HqOptions {
  /** HQ's origin: `https://…`; `http://` only for the own machine. */
  url: string;
  fetch?: typeof fetch;
  timeoutMs?: number;
  /** Told what time it is at headquarters (ms), whenever an answer says so. */
  heard?(hqNow: number): void;
}

const defaultTimeoutMs = 10_000;
/** A heartbeat's reply with 64 tokens of 8,000 characters fits. */
const maxReplyBytes = 1024 * 1024;
const maxMessage = 500;
const loopback = ["127.0.0.1", "[::1]", "localhost"];

/** Rejects as the port says; throws `bad_config` at once where `url` would carry requests in the clear. */
export function httpHq({ url, fetch: request = fetch, timeoutMs = defaultTimeoutMs, heard }: HqOptions): Hq {
  const base = checkedUrl(url);

  async function post(path: string, type: string, body: string): Promise<string> {
    const unreachable = (why: string, cause?: unknown) =>
      new UacError("hq_unreachable", `Headquarters at ${base.origin} ${why}. The factory goes on and tries again.`, { cause });
    let response: Response;
    let text: string;
    try {
      response = await request(new URL(path, base), {
        method: "POST",
        headers: { "content-type": type, accept: "application/json" },
        body,
        // A redirect would hand a signed request to whoever the answer names.
        redirect: "manual",
        signal: AbortSignal.timeout(timeoutMs),
      });
      text = await readAll(response);
    } catch (cause) {
      if (cause instanceof UacError) throw cause;
      const late = cause instanceof Error && cause.name === "TimeoutError";
      throw unreachable(late ? `did not answer within ${timeoutMs / 1000} s` : "can't be reached", cause);
    }
    const time = timeSchema.safeParse(parseJson(text));
    if (time.success) heard?.(time.data.now);
    if (response.ok) return text;
    throw refusal(response.status, text) ?? unreachable(`answered ${response.status || "with a redirect"}`);
  }

  async function ask<T>(path: string, type: string, body: string, schema: ZodType<T>): Promise<T> {
    const reply = schema.safeParse(parseJson(await post(path, type, body)));
    if (reply.success) return reply.data;
    throw new UacError("hq_unreachable", `${base.origin}${path} answers, but not as headquarters does. Check HQ_URL and the versions.`, {
      cause: reply.error,
    });
  }

  const jws = "text/plain; charset=utf-8";
  return {
    enrol: (body) => ask(paths.enrol, "application/json", JSON.stringify(body), enrolReplySchema),
    claim: (body) => ask(paths.claim, jws, body, claimReplySchema),
    heartbeat: (body) => ask(paths.heartbeat, jws, body, heartbeatReplySchema),
    ring: async (body) => {
      await post(paths.doorbell, jws, body);
    },
  };
}

function checkedUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (!parsed || !["https:", "http:"].includes(parsed.protocol)) {
    throw new UacError("bad_config", "HQ_URL is not a web address. Set it to headquarters' origin, as in https://hq.example.workers.dev");
  }
  if (parsed.username || parsed.password) throw new UacError("bad_config", "HQ_URL must not carry a user name or a password.");
  if (parsed.protocol === "http:" && !loopback.includes(parsed.hostname)) {
    throw new UacError("bad_config", `HQ_URL uses http:// for ${parsed.hostname}. Use https://; plain http:// is for this machine alone.`);
  }
  return parsed;
}

/** The body, within `maxReplyBytes`. */
async function readAll(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxReplyBytes) throw new UacError("hq_unreachable", `Headquarters' answer is larger than ${maxReplyBytes} bytes.`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** HQ's own refusal, or null where something else answered: a proxy's page, a server that is down. */
function refusal(status: number, text: string): UacError | null {
  if (status < 400 || status >= 500) return null;
  const body = refusalSchema.safeParse(parseJson(text));
  if (!body.success) return null;
  const { error, message } = body.data;
  return new UacError(codeOf(error, status), message.slice(0, maxMessage));
}

const byStatus: Record<number, ErrorCode> = {
  401: "unauthenticated",
  403: "forbidden",
  404: "not_found",
  409: "conflict",
  410: "gone",
  413: "too_large",
  429: "limit_reached",
};

/** HQ's word if it is one of the closed list; an older or newer HQ may know others. */
function codeOf(word: string, status: number): ErrorCode {
  return Object.hasOwn(errorCodes, word) ? (word as ErrorCode) : (byStatus[status] ?? "bad_input");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
