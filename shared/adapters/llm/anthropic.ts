/**
 * The Anthropic Messages API and the endpoints that speak it, over the official SDK. The SDK sends and decodes; retries,
 * time limits and the assembly of the message are ours, since it ends a cut stream without an error, calls tools from
 * truncated JSON and does not see a stalled body (anthropic-sdk-typescript #867).
 */
import Anthropic from "@anthropic-ai/sdk";
import { Stream } from "@anthropic-ai/sdk/core/streaming";
import { UacError } from "#core/errors.ts";
import { addUsage } from "#core/ledger.ts";
import type { Clock } from "#ports/clock.ts";
import type { Llm, ModelReply, ModelRequest } from "#ports/llm.ts";
import { judge, judgeBody } from "./anthropic-errors.ts";
import { assemble, incomplete, type WireEvent } from "./anthropic-reply.ts";
import { toWire } from "./anthropic-request.ts";
import { defaultTries, interrupted, retrying, type Try } from "./retry.ts";

export const anthropicUrl = "https://api.anthropic.com";
/** Current since October 2026 and the SDK's own default; it refuses temperature, top_p and top_k, which we never send. */
export const currentVersion = "2026-10-21";
/** What the endpoints of others were written against. */
export const classicVersion = "2023-06-01";

/** No byte (pings count) for so long ends a try, milliseconds. */
const defaultSilenceMs = 90_000;

export interface AnthropicOptions {
  /** Marks opaque blocks: they are replayed to this provider alone. */
  provider: string;
  model: string;
  clock: Clock;
  baseUrl?: string;
  /** Sent as `x-api-key`. */
  apiKey?: string;
  /** Sent as `Authorization: Bearer`. */
  authToken?: string;
  /** `anthropic-version` */
  version?: string;
  fetch?: typeof fetch;
  /** Tries after the first. */
  maxRetries?: number;
  silenceMs?: number;
}

/** Errors as in the port; `interrupted` when the request's signal is aborted. */
export function anthropicLlm(options: AnthropicOptions): Llm {
  const { provider, model, clock } = options;
  const client = clientOf(options);
  const secret = options.authToken ?? options.apiKey ?? "";
  const silenceMs = options.silenceMs ?? defaultSilenceMs;

  async function once(request: ModelRequest): Promise<Try<ModelReply>> {
    const message = assemble(provider, model);
    const watch = watchdog(silenceMs, request.signal);
    try {
      const sent = client.messages.create(toWire(request, provider, model), { signal: watch.signal });
      const response = await sent.asResponse();
      await refuseOtherBodies(response, secret);
      const body = Stream.fromSSEResponse<WireEvent>(watch.through(response), watch.controller, client);
      for await (const event of body) {
        if (event.type === "error") throw judgeBody(event, secret).error;
        message.add(event);
      }
      // An aborted stream ends without an error.
      if (watch.signal.aborted) throw watch.signal.reason;
      return { ok: true, value: message.finish() };
    } catch (thrown) {
      // What the abort made of fetch is of no interest; why we aborted is.
      const cause = watch.stalled() ? silent(silenceMs, message.started()) : thrown;
      return { ok: false, ...judge(cause, secret), usage: message.usage() };
    } finally {
      watch.stop();
    }
  }

  return {
    provider,
    model,
    async complete(request) {
      if (request.signal?.aborted) throw interrupted();
      const maxRetries = options.maxRetries ?? defaultTries - 1;
      const { value, wasted } = await retrying(() => once(request), { maxRetries, clock, signal: request.signal });
      return wasted ? { ...value, usage: addUsage(value.usage, wasted), usageSource: "partial" } : value;
    },
  };
}

/** The SDK 1.x sends an `apiKey` as a bearer token; the header that every endpoint knows for a key is `x-api-key`. */
function clientOf(options: AnthropicOptions): Anthropic {
  const { authToken, apiKey } = options;
  const bearer = authToken !== undefined;
  return new Anthropic({
    // A credential here keeps the SDK from looking for others in the environment and in the user's files.
    ...(bearer ? { authToken } : { apiKey: apiKey ?? "none" }),
    baseURL: options.baseUrl ?? anthropicUrl,
    maxRetries: 0,
    // Its log would hold what the model wrote, past our redactor.
    logLevel: "off",
    defaultHeaders: {
      "anthropic-version": options.version ?? currentVersion,
      ...(!bearer && { authorization: null, "x-api-key": apiKey ?? null }),
    },
    ...(options.fetch && { fetch: options.fetch }),
  });
}

/** A stream that is a JSON or HTML body instead: an error in disguise, a captive portal, a wrong base URL. */
async function refuseOtherBodies(response: Response, secret: string): Promise<void> {
  const type = response.headers.get("content-type") ?? "";
  if (!/\b(json|html)\b/i.test(type)) return;
  const text = (await response.text()).slice(0, 2000);
  if (/json/i.test(type)) {
    const body = parse(text);
    if (typeof body === "object" && body !== null && "error" in body) throw judgeBody(body, secret).error;
  }
  throw incomplete(`the endpoint answered a stream request with ${type}; check the base URL`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function silent(ms: number, begun: boolean): UacError {
  const seconds = Math.round(ms / 1000);
  if (begun) return incomplete(`nothing more came for ${seconds} s`);
  return new UacError("llm_unreachable", `The model said nothing for ${seconds} s.`);
}

/** Aborts when the caller does, or when nothing came for `ms`. */
function watchdog(ms: number, outer: AbortSignal | undefined) {
  const controller = new AbortController();
  let stalled = false;
  const bark = () => {
    stalled = true;
    controller.abort();
  };
  let timer = setTimeout(bark, ms);
  const touch = () => {
    clearTimeout(timer);
    timer = setTimeout(bark, ms);
  };
  const forward = () => controller.abort(outer?.reason);
  outer?.addEventListener("abort", forward, { once: true });

  return {
    controller,
    signal: controller.signal,
    stalled: () => stalled,
    /** The response, each chunk of whose body is a sign of life. */
    through(response: Response): Response {
      touch();
      const seen = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, to) {
          touch();
          to.enqueue(chunk);
        },
      });
      return new Response(response.body?.pipeThrough(seen) ?? null, response);
    },
    stop() {
      clearTimeout(timer);
      outer?.removeEventListener("abort", forward);
    },
  };
}
