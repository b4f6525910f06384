/** When a failed model call is worth another try. Bounded in tries and in time; each failed try's tokens are kept. */
import { UacError } from "#core/errors.ts";
import { addUsage, type Usage } from "#core/ledger.ts";
import type { Clock } from "#ports/clock.ts";
import type { LlmFailure } from "#ports/llm.ts";

export const defaultTries = 5;
/** No try begins later than this after the first one, milliseconds. */
export const giveUpAfterMs = 120_000;

/** One try that failed. */
export interface Failure {
  error: UacError;
  /** False: the same request would be refused again. */
  retry: boolean;
  /** What the provider asked us to wait, milliseconds. */
  afterMs: number | null;
  /** What the try had used when it failed, if it was told. */
  usage: Usage | null;
}

export type Try<T> = { ok: true; value: T } | ({ ok: false } & Failure);

export interface Retried<T> {
  value: T;
  /** Tokens of the tries that failed; null if none were told. */
  wasted: Usage | null;
}

export interface RetryOptions {
  maxRetries: number;
  clock: Clock;
  signal?: AbortSignal | undefined;
  /** In [0, 1). */
  random?: () => number;
}

/** Rejects with the last try's error, `usage` on it; with `interrupted` once the signal is aborted. */
export async function retrying<T>(attempt: () => Promise<Try<T>>, options: RetryOptions): Promise<Retried<T>> {
  const { clock, signal } = options;
  const started = clock.now();
  let wasted: Usage | null = null;
  for (let tries = 1; ; tries++) {
    const result = await attempt();
    if (result.ok) return { value: result.value, wasted };
    if (result.usage) wasted = wasted ? addUsage(wasted, result.usage) : result.usage;

    const waitMs = result.afterMs ?? backoffMs(tries, options.random ?? Math.random);
    const late = clock.now() + waitMs - started > giveUpAfterMs;
    if (signal?.aborted || !result.retry || tries > options.maxRetries || late) {
      throw withUsage(signal?.aborted ? interrupted(result.error) : explain(result, tries, late), wasted);
    }
    await clock.sleep(waitMs, signal);
    if (signal?.aborted) throw withUsage(interrupted(result.error), wasted);
  }
}

/** 1, 2, 4, 8… seconds, at most 30, each between half and one and a half of itself: callers that failed together part. */
function backoffMs(tries: number, random: () => number): number {
  return Math.round(Math.min(30_000, 1000 * 2 ** (tries - 1)) * (0.5 + random()));
}

export function interrupted(cause?: unknown): UacError {
  return new UacError("interrupted", "The model call was cancelled.", { cause });
}

function explain(failure: Failure, tries: number, late: boolean): UacError {
  if (!failure.retry) return failure.error;
  const wait = late && failure.afterMs ? ` It asks to wait ${Math.ceil(failure.afterMs / 1000)} s, longer than this call may.` : "";
  const count = tries === 1 ? "" : ` (${tries} tries)`;
  return new UacError(failure.error.code, `${failure.error.message}${count}${wait}`, { cause: failure.error.cause ?? failure.error });
}

function withUsage(error: UacError, usage: Usage | null): LlmFailure {
  return usage ? Object.assign(error, { usage }) : error;
}
