/**
 * Several models as one: the first that answers. The next is asked where a provider is out of reach, out of order or out of money; never
 * where the request itself is refused, which would be refused again, or is over our own budget. Who answered is in the reply. Each
 * adapter replays its own opaque blocks alone, so thinking never crosses from one provider to another.
 */
import { type ErrorCode, hasCode, UacError } from "#core/errors.ts";
import type { Clock } from "#ports/clock.ts";
import type { Llm, LlmFailure, ModelReply } from "#ports/llm.ts";

/** A provider that failed is left out for so long, milliseconds: not every step shall wait for its tries to run out. */
export const restMs = 60_000;
/** One whose account is empty, or whose window is used up. */
export const exhaustedRestMs = 10 * 60_000;

const passedOn: ReadonlySet<ErrorCode> = new Set(["llm_unreachable", "llm_incomplete"]);

export interface ChainOptions {
  clock: Clock;
  /** Until when whom is left out, by provider and model: shared by all chains of a program. */
  resting?: Map<string, number>;
  /** Told when the next one is asked. */
  onFallback?(from: Llm, to: Llm, why: UacError): void;
}

/** Goes by the name of its first. Rejects with what the last one said, and what the others did, once all have failed. */
export function chain(llms: readonly [Llm, ...Llm[]], { clock, onFallback, resting = new Map() }: ChainOptions): Llm {
  const [first] = llms;
  const windows = llms.flatMap(({ window }) => window ?? []);

  /** Those that rest come last: better one that may have recovered than none. */
  function order(): Llm[] {
    const now = clock.now();
    const until = (llm: Llm) => Math.max(0, (resting.get(nameOf(llm)) ?? 0) - now);
    return llms.toSorted((a, b) => until(a) - until(b));
  }

  return {
    provider: first.provider,
    model: first.model,
    ...(windows.length > 0 && { window: Math.min(...windows) }),
    async complete(request): Promise<ModelReply> {
      const failures: { llm: Llm; error: LlmFailure }[] = [];
      for (const llm of order()) {
        const before = failures.at(-1);
        if (before) onFallback?.(before.llm, llm, before.error);
        try {
          const reply = await llm.complete(request);
          resting.delete(nameOf(llm));
          return reply;
        } catch (error) {
          if (!(error instanceof UacError) || !isPassedOn(error) || request.signal?.aborted) throw error;
          resting.set(nameOf(llm), clock.now() + ((error as LlmFailure).exhausted ? exhaustedRestMs : restMs));
          failures.push({ llm, error });
        }
      }
      throw allFailed(failures);
    },
  };
}

function nameOf({ provider, model }: Llm): string {
  return `${provider} ${model}`;
}

function isPassedOn(error: LlmFailure): boolean {
  return passedOn.has(error.code) || (hasCode(error, "llm_refused") && error.exhausted === true);
}

function allFailed(failures: readonly { llm: Llm; error: LlmFailure }[]): UacError {
  const last = failures.at(-1)?.error;
  if (!last || failures.length === 1) return last ?? new UacError("internal", "A chain of no models was asked.");
  const said = failures.map(({ llm, error }) => `${llm.provider}: ${error.message}`).join(" ");
  return Object.assign(new UacError(last.code, `None of ${failures.length} models answered. ${said}`, { cause: last }), {
    ...(last.usage && { usage: last.usage }),
    ...(failures.every(({ error }) => error.exhausted) && { exhausted: true }),
  });
}
