/** OpenAI's Chat Completions and Responses, and the endpoints that speak them, over the official SDK. What the SDK is trusted with: `transport.ts`. */
import OpenAI from "openai";
import { Stream } from "openai/core/streaming";
import type { Endpoint } from "#core/endpoint.ts";
import type { Llm } from "#ports/llm.ts";
import { assembleChat } from "./chat-reply.ts";
import { toChat } from "./chat-request.ts";
import { refusing } from "./errors.ts";
import type { Place } from "./place.ts";
import { waysOf } from "./presets.ts";
import { assembleResponse } from "./responses-reply.ts";
import { toResponses } from "./responses-request.ts";
import { llmOver, type Speaker, type TransportOptions } from "./transport.ts";

export interface OpenAiOptions extends TransportOptions {
  wire: "chat" | "responses";
  baseUrl: string;
  /** Sent as a bearer token, whatever its kind. */
  key: Endpoint["key"];
}

/** Errors as in the port. */
export function openAiLlm(options: OpenAiOptions): Llm {
  const { provider, wire, model } = options;
  const { does, quirks } = waysOf(provider);
  const place: Place = { provider, wire, model, does, quirks };
  const client = clientOf(options);
  const events: Speaker["events"] = (response, controller) =>
    // "events": every event as it came, errors too, which are ours to judge.
    Stream.fromSSEResponse(response, controller, client, false, "events");
  const speaker: Speaker =
    wire === "chat"
      ? {
          send: (request, how) => client.chat.completions.create(toChat(request, place), how).asResponse(),
          events,
          assemble: () => assembleChat(provider, model, quirks),
        }
      : {
          send: (request, how) => client.responses.create(toResponses(request, place), how).asResponse(),
          events,
          assemble: () => assembleResponse(provider, model),
        };
  return llmOver(speaker, options.key?.value ?? "", options);
}

function clientOf({ baseUrl, key, fetch: fetcher }: OpenAiOptions): OpenAI {
  return new OpenAI({
    // All that is given here, the SDK does not look for in the environment.
    apiKey: key?.value ?? "none",
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    baseURL: baseUrl,
    maxRetries: 0,
    // Its log would hold what the model wrote, past our redactor.
    logLevel: "off",
    defaultHeaders: { authorization: key ? `Bearer ${key.value}` : null },
    fetch: refusing(fetcher),
  });
}
