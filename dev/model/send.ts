/** How an answer of the stand-in's goes out: whole or as a stream, over whichever wire, and with which of its faults. */
import type { ServerResponse } from "node:http";
import type { Wire } from "#core/wire-usage.ts";
import type { Behaviour } from "./behaviour.ts";
import { newId, type WireMessage } from "./wire.ts";
import { type Frame, type Refusal, type ServedWire, type Spoiling, unspoilt } from "./wires/served-wire.ts";

const overloaded: Refusal = { status: 529, type: "overloaded_error", message: "Overloaded" };

/** The error that a behaviour answers with instead of a message; null where it answers. Words and numbers are real providers'. */
export function refusalOf(behaviour: Behaviour, wire: Wire): Refusal | null {
  const [kind, figure = ""] = behaviour.split(":");
  if (kind === "status") return { status: Number(figure), type: "api_error", message: "The stand-in was told to fail." };
  if (kind === "overloaded") return overloaded;
  if (kind === "empty-account") {
    if (wire !== "anthropic") return { status: 402, type: "unknown_error", code: "invalid_request_error", message: "Insufficient Balance" };
    return { status: 400, type: "invalid_request_error", message: "Your credit balance is too low to access the Anthropic API." };
  }
  if (kind !== "quota") return null;
  const type = "insufficient_quota";
  if (wire !== "anthropic") return { status: 429, type, code: type, message: "You exceeded your current quota, please check your plan." };
  return { status: 429, type: "rate_limit_error", code: "1308", message: "Usage limit reached for 5 hour." };
}

function spoilingOf(behaviour: Behaviour): Spoiling {
  switch (behaviour) {
    case "garbage":
      return { ...unspoilt, json: (text) => text.replace(/}$/, ',"') };
    case "concatenated":
      // What some endpoints send, and what must never run.
      return { ...unspoilt, json: (text) => text + text };
    case "index-gaps":
      return { ...unspoilt, index: (at) => 2 + 3 * at };
    case "no-usage":
      return { ...unspoilt, untold: true };
    default:
      return unspoilt;
  }
}

export interface Sending {
  wire: ServedWire;
  response: ServerResponse;
  message: WireMessage;
  behaviour: Behaviour;
  /** The request as it came. */
  body: unknown;
  /** A stream was asked for. */
  streams: boolean;
}

export function send({ wire, response, message, behaviour, body, streams }: Sending): void {
  if (behaviour === "html") {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<!doctype html><title>Sign in</title><p>Please accept the terms of this network.");
    return;
  }
  const spoiling = spoilingOf(behaviour);
  if (!streams || behaviour === "json-on-stream") {
    const isOver = behaviour === "overloaded-inside";
    reply(response, 200, isOver ? wire.refusal(overloaded, newId("req")) : wire.whole(message, spoiling));
    return;
  }

  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", "request-id": newId("req") });
  const frames =
    behaviour === "overloaded-inside" ? [wire.refusalFrame(overloaded, newId("req"))] : [...wire.frames(message, spoiling, body)];
  const breaks = behaviour === "cuts-stream" || behaviour === "stalls";
  for (const frame of breaks ? frames.slice(0, Math.ceil(frames.length / 2)) : frames) response.write(toText(frame));
  if (behaviour !== "stalls") response.end();
}

function toText({ event, data }: Frame): string {
  return `${event ? `event: ${event}\n` : ""}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
}

export function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "request-id": newId("req") });
  response.end(JSON.stringify(body));
}

/** An error; where an answer has begun already, its end. */
export function refuseOver(wire: ServedWire, response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent) return void response.end();
  reply(response, refusal.status, wire.refusal(refusal, newId("req")));
}
