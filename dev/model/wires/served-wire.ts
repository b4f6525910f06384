/** One wire, server side: a request out of it, and a message into it. The stand-in thinks in the words of Anthropic Messages (`../wire.ts`). */
import type { WireMessage, WireRequest } from "../wire.ts";

/** One event of a stream. */
export interface Frame {
  event?: string;
  /** A text is sent as it is. */
  data: object | string;
}

/** What a message suffers on its way out. */
export interface Spoiling {
  /** Of a tool call's input, as JSON. */
  json(text: string): string;
  /** Of the positions that blocks, calls or items are numbered by. */
  index(at: number): number;
  /** The usage is left out. */
  untold: boolean;
}

export const unspoilt: Spoiling = { json: (text) => text, index: (at) => at, untold: false };

export interface Refusal {
  status: number;
  /** As Anthropic names them: `overloaded_error`. */
  type: string;
  message: string;
  /** A provider's own number or word for it. */
  code?: string;
}

export interface ServedWire {
  /** Below the server's address. */
  path: string;
  /** Whether its providers cache up to marks, or by themselves. */
  caches: "marks" | "itself";
  /** A message that says what a header lacks; null where nothing does. */
  lacks(headers: Readonly<Record<string, unknown>>): string | null;
  /** Throws a ZodError where it is no request. */
  read(body: unknown): WireRequest;
  whole(message: WireMessage, spoiling: Spoiling): object;
  /** `request` is the body as it came. */
  frames(message: WireMessage, spoiling: Spoiling, request: unknown): Iterable<Frame>;
  /** The body of an answer that is an error. */
  refusal(refusal: Refusal, requestId: string): object;
  /** The same as the first event of a stream that began with HTTP 200. */
  refusalFrame(refusal: Refusal, requestId: string): Frame;
}

export function* pieces(text: string, size: number): Generator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}
