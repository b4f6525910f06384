/**
 * What went wrong with one try, in our closed codes, and whether another try is worth it. Judged from what came over HTTP and not from
 * an SDK's errors: those drop bodies that are not `{error: …}`, such as Gemini's `[{error: …}]` and MiniMax's `base_resp`.
 */
import { type ErrorCode, UacError } from "#core/errors.ts";
import type { LlmFailure } from "#ports/llm.ts";
import type { Failure } from "./retry.ts";

const maxBodyChars = 20_000;

/** An answer that is not 2xx. Thrown inside the fetch that an SDK is given, so it arrives as the cause of the SDK's own error. */
export class HttpRefusal extends Error {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;

  constructor(status: number, headers: Headers, body: unknown) {
    super(`HTTP ${status}`);
    this.name = "HttpRefusal";
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

/** `fetcher`, but an answer that is not 2xx is an `HttpRefusal` with its whole body. */
export function refusing(fetcher: typeof fetch = fetch): typeof fetch {
  return async (input, init) => {
    const response = await fetcher(input, init);
    if (response.ok) return response;
    const text = (await response.text()).slice(0, maxBodyChars);
    throw new HttpRefusal(response.status, response.headers, parsed(text) ?? text);
  };
}

/** Types and codes of providers' errors that another try will not mend. */
const refusals = new Set([
  "invalid_request_error",
  "authentication_error",
  "permission_error",
  "billing_error",
  "not_found_error",
  "request_too_large",
  "invalid_api_key",
  "invalid_prompt",
  "model_not_found",
  "context_length_exceeded",
  "insufficient_quota",
]);

/**
 * An empty account, or a plan's window that is used up, often answers 429 as if waiting would help: z.ai's 1113 (balance) and 1308 and 1310
 * (window), Kimi's `exceeded_current_quota_error`, OpenAI's `insufficient_quota`, MiniMax's 1008, others in words. z.ai's 1302 and 1305 are not
 * among them: too many at once, and overload, which pass.
 */
const emptyAccount =
  /\bcode (1113|1308|1310|1008)\b|insufficient[ _](balance|quota|credit|funds)|exceeded_current_quota|(balance|credit)[^.]{0,40}(too low|exhausted|not enough)|arrears/i;

/**
 * A request that the model's window does not hold, in the words of the providers and of what runs models locally. Rate limits speak of tokens
 * too: those pass, and a shorter request is not their cure.
 */
const tooLong =
  /context_length_exceeded|model_context_window_exceeded|prompt is too long|prompt too long|(maximum|available) context (length|size)|context window|(maximum|max) prompt length|prompt exceeds max length|input token count[^.]{0,40}exceeds|exceed(s|ed)? (the )?(model('s)? )?(token limit|context (limit|length))|greater than the context length|reduce the length of the messages|\bcode 1261\b/i;
const rateLimit = /rate limit|too many requests|per minute|throttl/i;

const advice: Record<number, string> = {
  401: "Check the API key.",
  402: "Check the account's balance and plan.",
  403: "Check what the API key may do.",
  404: "Check the model's name and the base URL.",
  413: "The conversation is too large for the model.",
};

export interface Bench {
  /** The credential in use: some endpoints echo it. */
  secret: string;
  /** Clock time. */
  now: number;
}

/** Whatever a try threw. */
export function judge(error: unknown, bench: Bench): Failure {
  if (error instanceof UacError) return { error, retry: retried.has(error.code), afterMs: null };
  const refusal = causes(error).find((cause) => cause instanceof HttpRefusal);
  if (refusal) return verdict(refusal.status, refusal.body, refusal.headers, bench);
  const said = clean(innermost(error), bench.secret);
  return { error: new UacError("llm_unreachable", `The model can't be reached: ${said}.`, { cause: error }), retry: true, afterMs: null };
}

const retried: ReadonlySet<ErrorCode> = new Set(["llm_unreachable", "llm_incomplete"]);

/** An error in a body or an event that came with HTTP 200; null where `body` holds none. */
export function errorIn(body: unknown, bench: Bench): LlmFailure | null {
  const { type, error, base_resp, object, response } = fields(body);
  if (type === "response.failed") return verdict(null, response, new Headers(), bench).error;
  const failed = type === "error" || object === "error" || (error !== undefined && error !== null);
  // MiniMax says what is wrong beside an empty completion.
  if (!failed && !Number(fields(base_resp).status_code)) return null;
  // OpenRouter and Gemini give the HTTP status that it would have been as a code.
  const code = Number(errorOf(body).code);
  return verdict(code >= 400 && code < 600 ? code : null, body, new Headers(), bench).error;
}

function verdict(status: number | null, body: unknown, headers: Headers, bench: Bench): Failure {
  const { type, code, message: own } = errorOf(body);
  const said = clean(sayingOf(body, status), bench.secret);
  const fail = (
    failure: Omit<Failure, "error"> & Pick<LlmFailure, "exhausted" | "overflow"> & { as: ErrorCode; message: string },
  ): Failure => ({
    error: Object.assign(
      new UacError(failure.as, failure.message, { cause: body }),
      failure.exhausted && { exhausted: true },
      failure.overflow && { overflow: true },
    ),
    retry: failure.retry,
    afterMs: failure.afterMs,
  });
  // Our own meter's, on the way to the provider.
  if (code === "over_budget")
    return fail({ as: "over_budget", message: `${clean(String(own), bench.secret)}.`, retry: false, afterMs: null });
  // Our own gateway's: in its words, not as if they were the provider's.
  if (code === "llm_unreachable" && status === 502)
    return fail({ as: "llm_unreachable", message: `${clean(String(own), bench.secret)}.`, retry: true, afterMs: null });
  // It has waited already, and the provider is not to blame: another one would wait for the same budget.
  if (code === "limit_reached" && status === 429)
    return fail({ as: "limit_reached", message: `${clean(String(own), bench.secret)}.`, retry: false, afterMs: null });

  const name = typeof type === "string" && type !== "error" ? type : null;
  const what = status === null ? (name ?? "an error") : `HTTP ${status}${name ? ` ${name}` : ""}`;
  const exhausted = status === 402 || name === "billing_error" || emptyAccount.test(`${name} ${said}`);
  const overflow = !exhausted && (status === 413 || (tooLong.test(`${name} ${said}`) && !rateLimit.test(said)));
  const passes = status !== null && (status === 408 || status === 409 || status === 429 || status >= 500);
  const known = [name, code].some((word) => typeof word === "string" && refusals.has(word));
  const retry = !exhausted && !overflow && headers.get("x-should-retry") !== "false" && (status === null ? !known : passes);
  if (retry) {
    return fail({
      as: "llm_unreachable",
      message: `The model's provider answered ${what}: ${said}.`,
      retry,
      afterMs: retryAfterMs(headers, bench.now),
    });
  }
  const hint = exhausted ? advice[402] : (advice[status ?? 0] ?? "");
  const message = `The model's provider refused, ${what}: ${said}. ${hint}`.trim();
  return fail({ as: "llm_refused", message, retry, afterMs: null, exhausted, overflow });
}

/** Milliseconds, as some APIs add; seconds or a date, as the standard says. A date is read by the answer's own clock. */
function retryAfterMs(headers: Headers, now: number): number | null {
  const ms = Number.parseFloat(headers.get("retry-after-ms") ?? "");
  if (ms >= 0) return ms;
  const after = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+(\.\d+)?$/.test(after)) return Number(after) * 1000;
  const until = Date.parse(after);
  const sent = Date.parse(headers.get("date") ?? "");
  return Number.isNaN(until) ? null : Math.max(0, until - (Number.isNaN(sent) ? now : sent));
}

/** The message and the code; where there is neither, the body. */
function sayingOf(body: unknown, status: number | null): string {
  const { message, code } = errorOf(body);
  const text = typeof message === "string" && message ? message : typeof body === "string" ? body : JSON.stringify(body ?? "");
  const shown = (typeof code === "string" && code) || (typeof code === "number" && code !== status);
  return shown ? `${text} (code ${code})` : text;
}

/** `{error: {…}}`, as documented; the bare fields or a list of one, as some send; a text; MiniMax's `base_resp`. */
function errorOf(body: unknown): { type?: unknown; message?: unknown; code?: unknown } {
  if (Array.isArray(body)) return errorOf(body[0]);
  const { error, base_resp } = fields(body);
  if (typeof error === "string") return { message: error };
  if (typeof error === "object" && error !== null) return error;
  const { status_code, status_msg } = fields(base_resp);
  return status_code === undefined ? fields(body) : { message: status_msg, code: status_code };
}

/** The error and what caused it, outermost first. */
function causes(error: unknown): unknown[] {
  const chain: unknown[] = [error];
  for (let at = error; chain.length < 6 && at instanceof Error && at.cause !== undefined; chain.push(at)) at = at.cause;
  return chain;
}

function innermost(error: unknown): string {
  const at = causes(error).findLast((cause) => cause instanceof Error);
  if (!(at instanceof Error)) return String(error);
  const code = (at as { code?: unknown }).code;
  return at.message || (typeof code === "string" ? code : at.name);
}

/** One line, bounded, without the credential. */
function clean(text: string, secret: string): string {
  const safe = secret ? text.replaceAll(secret, "[key]") : text;
  return safe
    .replace(/\s+/g, " ")
    .slice(0, 300)
    .replace(/[.\s]+$/, "");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
