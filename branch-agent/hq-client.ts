/** Headquarters over HTTPS. Every request has a time limit; nothing is retried here: the callers' loops do that. */
import type { ZodType } from "zod";
import { type ErrorCode, errorCodes, UacError } from "#core/errors.ts";
import { claimReplySchema, enrolReplySchema, heartbeatReplySchema, paths, type Refusal, refusalSchema } from "#core/hq-api.ts";
import type { Hq } from "#ports/hq.ts";

export interface HqOptions {
  /** HQ's origin: `https://…`; `http://` only for the own machine. */
  url: string;
  fetch?: typeof fetch;
  timeoutMs?: number;
  /** Told what time it is at headquarters (ms), whenever it says so itself: by a heartbeat's answer, or where it refused an envelope. */
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

  async function post(path: string, type: string, body: string) {
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
    if (response.ok) return { text, response };
    const refusal = refusalSchema.safeParse(parseJson(text)).data;
    if (!refusal) throw strange(path, response);
    if (refusal.now !== undefined) heard?.(refusal.now);
    throw refusedBy(refusal, response.status) ?? unreachable(`answered ${response.status}`);
  }

  /** Whatever it says, it is not headquarters that says it. */
  function strange(path: string, { status, headers }: Pick<Response, "status" | "headers">, cause?: unknown) {
    const said = [status ? `status ${status}` : "a redirect", plain(headers.get("content-type")), plain(headers.get("server"))];
    return new UacError(
      "hq_unreachable",
      `At ${base.origin}${path} something else than headquarters answers (${said.filter(Boolean).join(", ")}): a proxy, a sign-in page, or another version. Check HQ_URL, the network and the versions; it is tried again.`,
      { cause },
    );
  }

  async function ask<T>(path: string, type: string, body: string, schema: ZodType<T>): Promise<T> {
    const { text, response } = await post(path, type, body);
    const reply = schema.safeParse(parseJson(text));
    if (reply.success) return reply.data;
    throw strange(path, response, reply.error);
  }

  const jws = "text/plain; charset=utf-8";
  return {
    enrol: (body) => ask(paths.enrol, "application/json", JSON.stringify(body), enrolReplySchema),
    claim: (body) => ask(paths.claim, jws, body, claimReplySchema),
    heartbeat: async (body) => {
      const reply = await ask(paths.heartbeat, jws, body, heartbeatReplySchema);
      heard?.(reply.now);
      return reply;
    },
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

/** What a refusal means; null where it says more about the hour than about the request. */
function refusedBy({ error, message }: Refusal, status: number): UacError | null {
  if (status < 400 || status >= 500) return null;
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

/** A header of whoever answered, fit for a message. */
function plain(header: string | null): string {
  return (header ?? "").replace(/[^ -~]/g, "").slice(0, 60);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
