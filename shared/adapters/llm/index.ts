/**
 * From an endpoint to an adapter, and from several to a chain. The providers themselves are data: `presets.ts`. A family's SDK is some
 * 250 modules, 20 MB and a quarter of a second: only the one that is called is loaded.
 */
import type { Endpoint } from "#core/endpoint.ts";
import type { Llm, Thinking } from "#ports/llm.ts";
import { type ChainOptions, chain } from "./chain.ts";
import type { TransportOptions } from "./transport.ts";

/** What an adapter needs beside where the model is. */
export type LlmDeps = Pick<TransportOptions, "clock" | "fetch" | "maxRetries" | "silenceMs" | "longestMs" | "annotate">;

export function llmFor({ provider, wire, model, baseUrl, key, window }: Endpoint, deps: LlmDeps): Llm {
  const options = { ...deps, provider, model, baseUrl, key, window };
  const load = async () => {
    if (wire === "anthropic") return (await import("./anthropic.ts")).anthropicLlm(options);
    return (await import("./openai.ts")).openAiLlm({ ...options, wire });
  };
  let adapter: Promise<Llm> | undefined;
  return {
    provider,
    model,
    window,
    async complete(request) {
      adapter ??= load();
      return (await adapter).complete(request);
    },
  };
}

/** Loads what this endpoint is called with, while there is something else to wait for. */
export async function warmUp({ wire }: Pick<Endpoint, "wire">): Promise<void> {
  await (wire === "anthropic" ? import("./anthropic.ts") : import("./openai.ts"));
}

/** Tries after the first of one that has others behind it: a few seconds, not two minutes. */
const retriesWithOthersBehind = 2;

export interface ChainDeps extends ChainOptions {
  /** What each is made with; each is metered as the provider that it is. */
  depsFor(endpoint: Endpoint): LlmDeps;
  /** Of requests that don't say. Null: as they do by themselves. */
  thinking?: Thinking | null;
}

/** The first that answers; see `chain.ts`. */
export function chainFor(endpoints: readonly [Endpoint, ...Endpoint[]], { depsFor, thinking, ...options }: ChainDeps): Llm {
  const [first, ...others] = endpoints;
  const make = (endpoint: Endpoint, i: number) => {
    const deps = depsFor(endpoint);
    return llmFor(endpoint, i < endpoints.length - 1 ? { maxRetries: retriesWithOthersBehind, ...deps } : deps);
  };
  const llm =
    others.length === 0 ? make(first, 0) : chain([make(first, 0), ...others.map((endpoint, i) => make(endpoint, i + 1))], options);
  return thinking ? { ...llm, complete: (request) => llm.complete({ thinking, ...request }) } : llm;
}
