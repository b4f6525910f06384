/** What every transport holds to: sizes, time limits, which streams may be read together, and how failures are told. */
import { maxEntryBytes } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { groupOf, streamOf } from "#core/fleet.ts";
import type { ReadOptions } from "#ports/bus.ts";

/** Longest wait for the reply to one command, milliseconds. */
export const commandLimitMs = 10_000;

/** Refuses what the other side would refuse anyway. */
export function checkSize(data: string) {
  const bytes = new TextEncoder().encode(data).length;
  if (bytes <= maxEntryBytes) return;
  throw new UacError(
    "too_large",
    `An entry of ${bytes} bytes does not fit the bus (${maxEntryBytes}). Leave the data where it is and refer to it.`,
  );
}

/** The streams of a read with their common group. */
export function readPlan({ from }: ReadOptions) {
  const streams = from.map(({ factory, channel }) => streamOf(factory, channel));
  const groups = new Set(from.map(({ channel }) => groupOf[channel]));
  if (groups.size > 1) throw new UacError("internal", "One read can't have streams of two groups: read in and ctl apart from out and ev.");
  return { streams, group: [...groups][0] ?? "f" };
}

/** The server does not accept who we are (WRONGPASS, NOAUTH), or that we may do this (NOPERM). Nothing was done. */
const denial = /^(WRONGPASS|NOAUTH|NOPERM)\b/;

/** Errors of our own pass; a denial is told as one; anything else means that nobody knows what the transport did. */
export function unavailable(doing: string, cause: unknown): UacError {
  if (cause instanceof UacError) return cause;
  if (cause instanceof Error && denial.test(cause.message)) return denied(doing, cause);
  return new UacError(
    "bus_unavailable",
    `Could not ${doing} on the bus, or can't tell whether it happened. Check BUS_URL and that its server is up; it is tried again.`,
    { cause },
  );
}

export function denied(doing: string, cause: unknown): UacError {
  return new UacError(
    "bus_denied",
    `The bus refused to ${doing}: it does not know this login, or that login may not. A factory's login is renewed by headquarters within a minute; otherwise check the credentials in BUS_URL and BUS_TOKEN.`,
    { cause },
  );
}

export function closedBus(): UacError {
  return new UacError("bus_unavailable", "The bus is closed.");
}

/** `promise`, or a rejection after `ms`. What it was waiting for goes on unseen. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no reply within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after `ms`, or as soon as one of the signals aborts. */
export function pause(ms: number, ...signals: (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    for (const signal of signals) {
      if (signal?.aborted) done();
      else signal?.addEventListener("abort", done);
    }
  });
}

/** `promise`, or `otherwise` as soon as `signal` aborts. What it was waiting for goes on unseen. */
export async function orAborted<T>(promise: Promise<T>, otherwise: T, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  const { promise: aborted, resolve } = Promise.withResolvers<T>();
  const onAbort = () => resolve(otherwise);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
