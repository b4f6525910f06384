/** What the stand-in model would bill: its own log, counted once more from the first request on. */
import type { Usage } from "#core/ledger.ts";
import { addUsage, noUsage } from "#core/ledger.ts";
import { type LoggedRequest, wires } from "../../dev/model/server.ts";
import { type Cache, meter, toMessage } from "../../dev/model/wire.ts";

/** Tokens of all requests, in the order in which they came: the prompt cache depends on it. */
export function billedFor(requests: readonly LoggedRequest[]): Usage {
  const cache: Cache = new Map();
  return requests
    .map(({ says, body, wire }) => toMessage(says, body.model, meter(body, cache, wires[wire].caches)).usage)
    .map((usage) => ({
      ...noUsage,
      uncachedIn: usage.input_tokens,
      cacheRead: usage.cache_read_input_tokens,
      write5m: usage.cache_creation_input_tokens,
      output: usage.output_tokens,
    }))
    .reduce(addUsage, noUsage);
}
