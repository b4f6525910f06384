/**
 * The closed list of error codes. Outsiders (a chat, a page, another machine) see `message`; logs also see `cause`.
 * The number is the HTTP status that a program answers with when the error ends a request.
 */
export const errorCodes = {
  bad_config: 503,
  bad_input: 400,
  too_large: 413,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  gone: 410,
  bad_envelope: 400,
  illegal_transition: 409,
  limit_reached: 429,
  over_budget: 402,
  llm_unreachable: 502,
  llm_refused: 502,
  llm_incomplete: 502,
  bus_unavailable: 503,
  bus_denied: 503,
  store_unavailable: 503,
  hq_unreachable: 502,
  sandbox_unavailable: 503,
  workspace_failed: 422,
  interrupted: 503,
  internal: 500,
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An error a person can act on. The message says what failed, why, and what to do; it never holds a secret. */
export class UacError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "UacError";
    this.code = code;
  }

  get status() {
    return errorCodes[this.code];
  }
}

/** What an outsider may read of any thrown value: the message of our own errors, nothing of anyone else's. */
export function publicMessage(error: unknown): string {
  return error instanceof UacError ? error.message : "Something went wrong inside; the log has the cause.";
}

/** True if `error` is one of ours with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is UacError {
  return error instanceof UacError && error.code === code;
}
