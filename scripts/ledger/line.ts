/** One line of a recording: what a provider sent, and what is said about it beside. The format is in docs/ledger.md. */
import { type Wire, wires } from "#core/wire-usage.ts";
import { type Fields, type Heard, hear, isFields, isText, sizeOf, text_ } from "./body.ts";

/** A line, or why it can't be read. `heard` is null for what tells nothing of usage: pings, ends of blocks, refusals. */
export type Line = { problem: Trouble } | { said: Said; heard: Heard | null };

export interface Trouble {
  what: string;
  why: string;
  todo: string;
}

/** What stands beside the body. */
export interface Said {
  provider: string | null;
  model: string | null;
  /** Names the stream that an event belongs to, where streams are mixed. */
  call: string | null;
  at: number | null;
  /** UTF-8 bytes of the request, where it was recorded. */
  requestBytes: number | null;
}

const format = "docs/ledger.md has the format";

/** `knows`: the names of providers that may have prices. */
export function readLine(text: string, knows: (provider: string) => boolean): Line {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const binary = /[\0\uFFFD]/.test(text.slice(0, 60));
    return binary
      ? trouble("is no text in UTF-8", "it is compressed, or in another encoding", "unpack it, or write it anew as UTF-8")
      : trouble(`is not JSON: ${text.slice(0, 60)}`, why, "write one whole JSON object on each line");
  }
  if (!isFields(value)) return trouble("is not an object", "a line tells of one response or one event of a stream", format);
  const { body, batch } = unwrapped(value);
  const vendor = body === value && Array.isArray(body.choices);
  const provider = providerIn(text_(value.provider), { vendor, knows });
  for (const key of ["at", "timestamp"]) {
    if (value[key] !== undefined && value[key] !== null && timeOf(value[key]) === null)
      return trouble(
        `says ${key} is ${JSON.stringify(value[key])}`,
        "that is no time",
        "write milliseconds since 1970, or a date such as 2026-11-26T07:00:00Z",
      );
  }
  const said: Said = {
    provider,
    model: text_(value.model),
    call: text_(value.call) ?? text_(value.requestId) ?? text_(value.request_id),
    at: timeOf(value.at) ?? timeOf(value.timestamp),
    requestBytes: value.request === undefined ? null : sizeOf(JSON.stringify(value.request)),
  };
  const wire = wires.find((one) => one === value.wire) ?? null;
  if (value.wire !== undefined && !wire) {
    return trouble(`names the wire ${JSON.stringify(value.wire)}`, `there are ${wires.join(", ")}`, "name one of them, or leave it out");
  }
  const heard = hear(body, wire, provider);
  if (heard === undefined) {
    const kind = text_(body.type) ?? text_(body.object);
    return trouble(
      kind ? `is of a kind that is not known: ${kind}` : "holds no usage",
      "it is no response or event of a wire here",
      format,
    );
  }
  if (heard && wire && heard.wire !== wire)
    return trouble(`names the wire ${wire}`, `its body is one of ${heard.wire}`, "leave the wire out, or name that one");
  const odd = heard?.usage ? oddCount(heard.usage, "usage") : null;
  if (odd) return trouble(odd, "tokens are whole numbers from 0 to 100 million", "record the usage as the provider sent it");
  const strange = heard?.usage && heard.kind === "whole" ? strangeUsage(heard.wire, heard.usage) : null;
  if (strange) return strange;
  return { said, heard: heard && batch ? { ...heard, tier: "batch" } : heard };
}

/** The body, where something is written around it. `batch`: it is a line of a batch's results, Anthropic's or OpenAI's. */
function unwrapped(value: Fields): { body: Fields; batch: boolean } {
  const { result, response } = value;
  if (isText(value.custom_id) && isFields(result))
    return { body: isFields(result.message) ? result.message : { error: result }, batch: true };
  if (isText(value.custom_id) && isFields(response))
    return { body: isFields(response.body) ? response.body : { error: response }, batch: true };
  const wrapped = [value.body, value.event, value.data, isText(value.type) ? null : response].find(isFields);
  return { body: wrapped ?? value, batch: false };
}

/** Our name of it, whatever its case. OpenRouter's answers name the vendor behind it under the same key, and that is none. */
function providerIn(told: string | null, { vendor, knows }: { vendor: boolean; knows(name: string): boolean }): string | null {
  if (told === null || knows(told)) return told;
  if (vendor) return null;
  return knows(told.toLowerCase()) ? told.toLowerCase() : told;
}

const countsOf: Readonly<Record<Wire, readonly string[]>> = {
  anthropic: ["input_tokens", "output_tokens"],
  chat: ["prompt_tokens", "completion_tokens"],
  responses: ["input_tokens", "output_tokens"],
};

/** A usage of which none would be read. */
function strangeUsage(wire: Wire, usage: Fields): ReturnType<typeof trouble> | null {
  const told = Object.keys(usage).filter((key) => usage[key] !== null);
  const names = countsOf[wire];
  if (told.length === 0 || names.some((name) => told.includes(name))) return null;
  const why = `${wire} counts in ${names.join(" and ")}, and it has ${told.slice(0, 6).join(", ")}`;
  return trouble("has a usage that can't be counted", why, "record the usage as the provider sent it, and name its wire if it is another");
}

function trouble(what: string, why: string, todo: string): { problem: Trouble } {
  return { problem: { what, why, todo } };
}

/** Names the first count of a usage, or of its details, that is none. */
function oddCount(usage: Fields, path: string, details = true): string | null {
  for (const [key, value] of Object.entries(usage)) {
    const name = `${path}.${key}`;
    if (isFields(value)) {
      const odd = details ? oddCount(value, name, false) : null;
      if (odd) return odd;
    } else if (/tokens(_details)?$/.test(key) && value !== null && !isCount(value)) return `says ${name} is ${JSON.stringify(value)}`;
  }
  return null;
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 100_000_000;
}

/** Milliseconds, or seconds, or a date in text: as milliseconds. */
function timeOf(value: unknown): number | null {
  const at = isText(value) ? Date.parse(value) : typeof value === "number" && value >= 0 ? value : Number.NaN;
  if (!Number.isFinite(at)) return null;
  return typeof value === "number" && at < mostSeconds ? at * 1000 : at;
}

/** As seconds it is the year 5138, as milliseconds 1973: there was no model then. */
const mostSeconds = 100_000_000_000;
