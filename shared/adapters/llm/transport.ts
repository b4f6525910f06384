/**
 * What the three wires have in common: one try as a stream of events that becomes a whole message or an error, tries within bounds, and
 * a limit to every wait. An SDK sends and decodes; it is not asked to retry, to time out or to assemble, since SDKs end a cut stream
 * without an error, run tools from truncated JSON and do not see a stalled body (anthropic-sdk-typescript #867).
 */
import { UacError } from "#core/errors.ts";
import type { ToldUsage } from "#core/wire-usage.ts";
import type { Clock } from "#ports/clock.ts";
import type { Llm, LlmFailure, ModelReply, ModelRequest } from "#ports/llm.ts";
import { type Bench, errorIn, judge } from "./errors.ts";
import { incomplete } from "./reply.ts";
import { defaultTries, interrupted, retrying, type Try } from "./retry.ts";
import { wellFormed } from "./well-formed.ts";

/** No byte (pings and comments count) for so long ends a try, milliseconds. */
const defaultSilenceMs = 90_000;
/** Ends a try in any case, milliseconds: a provider may say that it is alive for ever. */
const defaultLongestMs = 30 * 60_000;
/** A reply's output is at most a few hundred thousand tokens; no message of ours is near this, bytes. */
const maxReplyBytes = 64 * 1024 * 1024;

/** A message that is being put together. */
export interface Assembly {
  /** Throws `llm_incomplete` where the event contradicts what came before. */
  add(event: unknown): void;
  started(): boolean;
  usage(): ToldUsage | null;
  /** Throws `llm_incomplete` unless the message ended as the protocol says. */
  finish(): ModelReply;
}

/** One wire over one SDK. */
export interface Speaker {
  /** Resolves once the headers are there. Rejects with an `HttpRefusal` among the causes where the answer is not 2xx. */
  send(request: ModelRequest, how: { signal: AbortSignal; headers: Record<string, string> }): Promise<Response>;
  /** Ends without an error when `controller` is aborted. */
  events(response: Response, controller: AbortController): AsyncIterable<unknown>;
  assemble(): Assembly;
}

export interface TransportOptions {
  /** Marks opaque blocks: they are replayed to this provider alone. */
  provider: string;
  model: string;
  clock: Clock;
  fetch?: typeof fetch;
  /** Tries after the first. */
  maxRetries?: number;
  silenceMs?: number;
  longestMs?: number;
  /** Tells the step and the try in the headers `x-uac-step` and `x-uac-try`: for a meter on the way, which takes them off. */
  annotate?: boolean;
}

/** `secret` is cut out of every message. Errors as in the port. */
export function llmOver(speaker: Speaker, secret: string, options: TransportOptions): Llm {
  const { provider, model, clock } = options;
  const patience = { silenceMs: options.silenceMs ?? defaultSilenceMs, longestMs: options.longestMs ?? defaultLongestMs };

  async function once(request: ModelRequest, count: number): Promise<Try<ModelReply>> {
    const message = speaker.assemble();
    const watch = watchdog(patience, request.signal);
    const bench = (): Bench => ({ secret, now: clock.now() });
    try {
      const headers = options.annotate ? annotations(request, count) : {};
      const response = await speaker.send(request, { signal: watch.signal, headers });
      await refuseOtherBodies(response, bench());
      for await (const event of speaker.events(watch.through(response), watch.controller)) {
        const failed = errorIn(event, bench());
        if (failed) throw failed;
        message.add(event);
      }
      // An aborted stream ends without an error.
      if (watch.signal.aborted) throw watch.signal.reason;
      return { ok: true, value: message.finish() };
    } catch (thrown) {
      // What the abort made of fetch is of no interest; why we aborted is.
      const cause = watch.gaveUp(message.started()) ?? notJson(thrown);
      const failure = judge(cause, bench());
      return { ok: false, ...failure, error: withUsage(failure.error, message.usage()) };
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
      const sent = wellFormed(request);
      return retrying((count) => once(sent, count), { maxRetries, clock, signal: request.signal });
    },
  };
}

function annotations(request: ModelRequest, count: number): Record<string, string> {
  return { ...(request.step !== undefined && { "x-uac-step": String(request.step) }), "x-uac-try": String(count) };
}

/** A stream that is a JSON or HTML body instead: an error in disguise, a captive portal, a wrong base URL. */
async function refuseOtherBodies(response: Response, bench: Bench): Promise<void> {
  const type = response.headers.get("content-type") ?? "";
  if (!/\b(json|html)\b/i.test(type)) return;
  const text = (await response.text()).slice(0, 2000);
  if (/json/i.test(type)) {
    const failed = errorIn(parse(text), bench);
    if (failed) throw failed;
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

/** The decoders throw a SyntaxError at an event that is no JSON: a garbled stream, not a network that is out of reach. */
function notJson(thrown: unknown): unknown {
  return thrown instanceof SyntaxError ? incomplete("an event of the stream is not JSON", thrown) : thrown;
}

function withUsage(error: LlmFailure, told: ToldUsage | null): LlmFailure {
  return told ? Object.assign(error, { usage: told.usage }) : error;
}

/** Aborts when the caller does, when nothing came for `silenceMs`, or when it is not done after `longestMs`. */
function watchdog({ silenceMs, longestMs }: { silenceMs: number; longestMs: number }, outer: AbortSignal | undefined) {
  const controller = new AbortController();
  let barked: "silent" | "endless" | null = null;
  const bark = (why: "silent" | "endless") => {
    barked ??= why;
    controller.abort();
  };
  const end = setTimeout(bark, longestMs, "endless");
  let timer = setTimeout(bark, silenceMs, "silent");
  const touch = () => {
    clearTimeout(timer);
    if (!controller.signal.aborted) timer = setTimeout(bark, silenceMs, "silent");
  };
  const forward = () => controller.abort(outer?.reason);
  outer?.addEventListener("abort", forward, { once: true });

  return {
    controller,
    signal: controller.signal,
    /** Why it was aborted here; null where it was not. */
    gaveUp(begun: boolean): UacError | null {
      if (barked === null) return null;
      if (barked === "endless") return incomplete(`it was not done after ${seconds(longestMs)}`);
      if (begun) return incomplete(`nothing more came for ${seconds(silenceMs)}`);
      return new UacError("llm_unreachable", `The model said nothing for ${seconds(silenceMs)}.`);
    },
    /** The response, each chunk of whose body is a sign of life. */
    through(response: Response): Response {
      touch();
      let size = 0;
      const seen = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, to) {
          touch();
          size += chunk.byteLength;
          if (size > maxReplyBytes) to.error(incomplete(`it is longer than ${maxReplyBytes} bytes`));
          else to.enqueue(chunk);
        },
      });
      return new Response(response.body?.pipeThrough(seen) ?? null, response);
    },
    stop() {
      clearTimeout(timer);
      clearTimeout(end);
      outer?.removeEventListener("abort", forward);
    },
  };
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
