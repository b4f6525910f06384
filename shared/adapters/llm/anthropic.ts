/** The Anthropic Messages API and the endpoints that speak it, over the official SDK. What the SDK is trusted with: `transport.ts`. */
import { BaseAnthropic } from "@anthropic-ai/sdk/client";
import { Stream } from "@anthropic-ai/sdk/core/streaming";
import type { Endpoint } from "#core/endpoint.ts";
import type { Llm } from "#ports/llm.ts";
import { assembleMessage } from "./anthropic-reply.ts";
import { toMessages } from "./anthropic-request.ts";
import { refusing } from "./errors.ts";
import type { Place } from "./place.ts";
import { waysOf } from "./presets.ts";
import { llmOver, type TransportOptions } from "./transport.ts";

export interface AnthropicOptions extends TransportOptions {
  baseUrl: string;
  key: Endpoint["key"];
}

/** Errors as in the port. */
export function anthropicLlm(options: AnthropicOptions): Llm {
  const { provider, model } = options;
  const { does, quirks, version } = waysOf(provider);
  const place: Place = { provider, wire: "anthropic", model, does, quirks };
  const client = clientOf(options, version);
  return llmOver(
    {
      send: (request, { signal, headers }) =>
        client.post("/v1/messages", { body: toMessages(request, place), stream: true, signal, headers }).asResponse(),
      async *events(response, controller) {
        // Its decoder of events passes over those without a name, which some endpoints send: the plain one of server-sent events does not.
        for await (const { data } of Stream.rawEvents(response, controller)) if (data) yield JSON.parse(data);
      },
      assemble: () => assembleMessage(provider, model),
    },
    options.key?.value ?? "",
    options,
  );
}

/**
 * The client without its resources, which are most of the SDK. It sends an `apiKey` as a bearer token (since 1.0); the header that
 * every endpoint knows for a key is `x-api-key`, so the headers are ours.
 */
function clientOf({ baseUrl, key, fetch: fetcher }: AnthropicOptions, version: string): BaseAnthropic {
  return new BaseAnthropic({
    // A credential here keeps the SDK from looking for others in the environment and in the user's files.
    apiKey: key?.value ?? "none",
    baseURL: baseUrl,
    maxRetries: 0,
    // Its log would hold what the model wrote, past our redactor.
    logLevel: "off",
    // Nor does it tell a tracer of the process.
    openTelemetry: false,
    defaultHeaders: {
      "anthropic-version": version,
      authorization: key?.kind === "bearer" ? `Bearer ${key.value}` : null,
      "x-api-key": key?.kind === "x-api-key" ? key.value : null,
    },
    fetch: refusing(fetcher),
  });
}
