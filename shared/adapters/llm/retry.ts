/** When a failed model call is worth another try. Bounded in tries and in time. Each try is a call of its own for the meter. */
import { UacError } from "#core/errors.ts";
import type { Clock } from "#ports/clock.ts";
import type { LlmFailure } from "#ports/llm.ts";

export const defaultTries = 5;
/** No try begins later than this after the first one, milliseconds. */
export const giveUpAfterMs = 120_000;

/** One try that failed. */
export interface Failure {
  error: LlmFailure;
  /** False: the same request would be refused again. */
  retry: boolean;
  /** What the provider asked us to wait, milliseconds. */
  afterMs: number | null;
}

export type Try<T> = { ok: true; value: T } | ({ ok: false } & Failure);

export interface RetryOptions {
  maxRetries: number;
  clock: Clock;
  signal?: AbortSignal | undefined;
  /** In [0, 1). */
  random?: () => number;
}

/** `attempt` is told which try it is, from 1. Rejects with the last try's error, and with `interrupted` once the signal is aborted. */
export async function retrying<T>(attempt: (count: number) => Promise<Try<T>>, options: RetryOptions): Promise<T> {
  const { clock, signal } = options;
  const started = clock.now();
  for (let tries = 1; ; tries++) {
    const result = await attempt(tries);
    if (result.ok) return result.value;

    // What is asked for is waited for, but never less than our own patience: `retry-after: 0` is no invitation to hammer.
    const waitMs = Math.max(result.afterMs ?? 0, backoffMs(tries, options.random ?? Math.random));
    const late = clock.now() + waitMs - started > giveUpAfterMs;
    if (signal?.aborted) throw interrupted(result.error);
    if (!result.retry || tries > options.maxRetries || late) throw explain(result, tries, late);
    await clock.sleep(waitMs, signal);
    if (signal?.aborted) throw interrupted(result.error);
  }
}

/** 1, 2, 4, 8… seconds, at most 30, each between half and one and a half of itself: callers that failed together part. */
function backoffMs(tries: number, random: () => number): number {
  return Math.round(Math.min(30_000, 1000 * 2 ** (tries - 1)) * (0.5 + random()));
}

export function interrupted(cause?: unknown): LlmFailure {
  const usage = (cause as LlmFailure | undefined)?.usage;
  return Object.assign(new UacError("interrupted", "The model call was cancelled.", { cause }), usage && { usage });
}

function explain({ error, retry, afterMs }: Failure, tries: number, late: boolean): LlmFailure {
  if (!retry) return error;
  const wait = late && afterMs ? ` It asks to wait ${Math.ceil(afterMs / 1000)} s, longer than this call may.` : "";
  const count = tries === 1 ? "" : ` (${tries} tries)`;
  const { usage, exhausted } = error;
  return Object.assign(new UacError(error.code, `${error.message}${count}${wait}`, { cause: error.cause ?? error }), {
    ...(usage && { usage }),
    ...(exhausted && { exhausted }),
  });
}
