/** What went wrong with one try, in our closed codes, and whether another try is worth it. */
import { APIConnectionError, APIError } from "@anthropic-ai/sdk";
import { UacError } from "#core/errors.ts";

type Verdict = { error: UacError; retry: boolean; afterMs: number | null };

/** Types of the API's own errors that another try will not mend. */
const refusals = new Set([
  "invalid_request_error",
  "authentication_error",
  "permission_error",
  "billing_error",
  "not_found_error",
  "request_too_large",
]);

/** An empty account often answers 429, as if waiting would help: z.ai's 1113, others in words. */
const emptyAccount =
  /\b1113\b|insufficient[ _](balance|quota|credit|funds)|(balance|credit)[^.]{0,40}(too low|exhausted|not enough)|arrears/i;

const advice: Record<number, string> = {
  401: "Check the API key.",
  402: "Check the account's balance.",
  403: "Check what the API key may do.",
  404: "Check the model's name and the base URL.",
  413: "The conversation is too large for the model.",
};

/** `secret` is the credential in use: some endpoints echo it. */
export function judge(error: unknown, secret: string): Verdict {
  if (error instanceof UacError) return { error, retry: error.code !== "llm_refused", afterMs: null };
  if (error instanceof APIConnectionError || !(error instanceof APIError)) {
    const why = innermost(error);
    return {
      error: new UacError("llm_unreachable", `The model can't be reached: ${clean(why, secret)}.`, { cause: error }),
      retry: true,
      afterMs: null,
    };
  }
  const said = clean(messageOf(error.error) || error.message, secret);
  return verdict(error.status ?? null, error.type ?? typeOf(error.error), said, error.headers ?? new Headers(), error);
}

/** An error body that came with HTTP 200, as an event or as plain JSON. */
export function judgeBody(body: unknown, secret: string): Verdict {
  return verdict(null, typeOf(body), clean(messageOf(body), secret), new Headers(), body);
}

function verdict(status: number | null, type: string | null, said: string, headers: Headers, cause: unknown): Verdict {
  const what = status === null ? (type ?? "an error") : `HTTP ${status}${type ? ` ${type}` : ""}`;
  const broke = status === 402 || emptyAccount.test(said);
  const wait = status !== null && (status === 408 || status === 409 || status === 429 || status >= 500);
  const retry = !broke && headers.get("x-should-retry") !== "false" && (status === null ? !refusals.has(type ?? "") : wait);
  if (retry) {
    const message = `The model's provider answered ${what}: ${said}.`;
    return { error: new UacError("llm_unreachable", message, { cause }), retry, afterMs: retryAfterMs(headers) };
  }
  const hint = broke ? advice[402] : (advice[status ?? 0] ?? "");
  return {
    error: new UacError("llm_refused", `The model's provider refused, ${what}: ${said}. ${hint}`.trim(), { cause }),
    retry,
    afterMs: null,
  };
}

/** Seconds as the standard says, or milliseconds as this API adds; dates are not sent by any provider we know. */
function retryAfterMs(headers: Headers): number | null {
  const ms = Number.parseFloat(headers.get("retry-after-ms") ?? "");
  if (ms >= 0) return ms;
  const seconds = Number.parseFloat(headers.get("retry-after") ?? "");
  return seconds >= 0 ? seconds * 1000 : null;
}

function typeOf(body: unknown): string | null {
  const type = errorOf(body).type;
  return typeof type === "string" ? type : null;
}

function messageOf(body: unknown): string {
  const { message, code } = errorOf(body);
  const text = typeof message === "string" ? message : JSON.stringify(body ?? "");
  return typeof code === "string" || typeof code === "number" ? `${text} (code ${code})` : text;
}

/** `{error: {…}}`, as documented, or the bare fields, as some gateways send. */
function errorOf(body: unknown): { type?: unknown; message?: unknown; code?: unknown } {
  if (typeof body !== "object" || body === null) return { message: body };
  const inner = (body as { error?: unknown }).error;
  return typeof inner === "object" && inner !== null ? inner : body;
}

function innermost(error: unknown): string {
  let at = error;
  for (let depth = 0; depth < 5 && at instanceof Error && at.cause instanceof Error; depth++) at = at.cause;
  if (!(at instanceof Error)) return String(at);
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
