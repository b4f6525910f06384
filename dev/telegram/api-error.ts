/** What Telegram answers when it will not: the texts are those of its own Bot API server. */
export class ApiError extends Error {
  readonly status: number;
  readonly retryAfter: number | null;

  constructor(status: number, description: string, retryAfter: number | null = null) {
    super(description);
    this.name = "ApiError";
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export const badRequest = (why: string) => new ApiError(400, `Bad Request: ${why}`);

/** `seconds` to wait. */
export const tooMany = (seconds: number) => new ApiError(429, `Too Many Requests: retry after ${seconds}`, seconds);
