/** Why a request was not passed on to a provider, in the words of the wire that asked: an engine understands it as its provider's. */
import type { ErrorCode } from "./errors.ts";
import type { Wire } from "./wire-usage.ts";

interface Words {
  status: number;
  anthropic: string;
  openai: string;
}

const words: Partial<Record<ErrorCode, Words>> = {
  over_budget: { status: 402, anthropic: "billing_error", openai: "insufficient_quota" },
  limit_reached: { status: 429, anthropic: "rate_limit_error", openai: "rate_limit_exceeded" },
  unauthenticated: { status: 401, anthropic: "authentication_error", openai: "invalid_request_error" },
  not_found: { status: 404, anthropic: "not_found_error", openai: "invalid_request_error" },
  bad_input: { status: 400, anthropic: "invalid_request_error", openai: "invalid_request_error" },
  too_large: { status: 413, anthropic: "request_too_large", openai: "invalid_request_error" },
  llm_unreachable: { status: 502, anthropic: "api_error", openai: "server_error" },
};
const again: Partial<Record<ErrorCode, Record<string, string>>> = { limit_reached: { "retry-after": "5" }, llm_unreachable: {} };
const broken: Words = { status: 503, anthropic: "api_error", openai: "server_error" };

/** Another try of the same request is worth it where it is told so: most would be refused again. */
export function refusal(wire: Wire, code: ErrorCode, message: string): { status: number; headers: Record<string, string>; body: object } {
  const { status, anthropic, openai } = words[code] ?? broken;
  const error = { type: wire === "anthropic" ? anthropic : openai, code, message };
  const headers: Record<string, string> = again[code] ?? { "x-should-retry": "false" };
  return {
    status,
    headers,
    body: wire === "anthropic" ? { type: "error", error } : { error: { ...error, param: null } },
  };
}
