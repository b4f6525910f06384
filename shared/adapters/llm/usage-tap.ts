/**
 * Listens to an answer as it goes by, and says what it used. The newest figure wins, so what comes twice is counted once. Of an answer
 * that was cut the rest is reckoned from the bytes that came: what was streamed was paid for.
 */
import { noUsage, type Usage } from "#core/ledger.ts";
import { mergeUsage, toldUsage, type Wire } from "#core/wire-usage.ts";
import type { CallEnd } from "#ports/metering.ts";

type Fields = Record<string, unknown>;

/** Rather too many: English takes about four bytes a token, code and most other scripts fewer. */
const bytesPerToken = 3;
/** One event of a stream that is longer is not read; of a usage it would be the first. */
const longestEvent = 16 * 1024 * 1024;

export interface Tap {
  /** A piece of a stream of events. True if the message's end is in it. */
  add(piece: Uint8Array): boolean;
  /** An answer that came in one piece, JSON. */
  whole(text: string): void;
  /** What it used, and what it says of itself. `inputTokens`: where the provider did not tell. */
  told(inputTokens: number): Pick<CallEnd, "usage" | "source" | "messageId"> & { model: string | null; complete: boolean };
}

export function usageTap(wire: Wire): Tap {
  let counts: Fields = {};
  let model: string | null = null;
  let messageId: string | null = null;
  let bytes = 0;
  let ended = false;
  let failed = false;
  let finished = false;

  function name(message: Fields) {
    if (typeof message.model === "string" && message.model) model = message.model;
    if (typeof message.id === "string" && message.id) messageId = message.id;
  }

  const read: Readonly<Record<Wire, (event: Fields) => void>> = {
    anthropic(event) {
      if (event.type === "message_start") name(fields(event.message));
      counts = mergeUsage(mergeUsage(counts, fields(event.message).usage), event.usage);
      if (event.type === "content_block_delta") bytes += textIn(event.delta);
      // Some send a call's input at once.
      if (event.type === "content_block_start") bytes += textIn(fields(event.content_block).input);
      ended ||= event.type === "message_stop";
      failed ||= event.type === "error";
    },
    chat(event) {
      name(event);
      counts = mergeUsage(counts, event.usage);
      for (const choice of list(event.choices)) {
        counts = mergeUsage(counts, choice.usage);
        bytes += textIn(choice.delta);
        finished ||= typeof choice.finish_reason === "string";
      }
      failed ||= typeof event.error === "object" && event.error !== null;
    },
    responses(event) {
      const response = fields(event.response);
      name(response);
      counts = mergeUsage(counts, response.usage);
      if (typeof event.type === "string" && event.type.endsWith(".delta")) bytes += textIn(event.delta);
      ended ||= event.type === "response.completed" || event.type === "response.incomplete";
      failed ||= event.type === "response.failed" || event.type === "error";
    },
  };

  const events = eventReader((data) => {
    if (data === "[DONE]") ended = true;
    else read[wire](fields(parse(data)));
  });

  return {
    add(piece) {
      const before = ended;
      events(piece);
      return ended && !before;
    },
    whole(text) {
      const message = fields(parse(text));
      name(message);
      counts = mergeUsage(counts, message.usage);
      for (const choice of list(message.choices)) counts = mergeUsage(counts, choice.usage);
      bytes += textIn(message.content ?? message.choices ?? message.output);
      ended = [message.content, message.choices, message.output].some(Array.isArray);
    },
    told(inputTokens) {
      const complete = (ended || finished) && !failed;
      return { ...reckon(toldUsage(wire, counts), { complete, bytes, inputTokens }), model, messageId, complete };
    },
  };
}

function reckon(
  told: ReturnType<typeof toldUsage>,
  { complete, bytes, inputTokens }: { complete: boolean; bytes: number; inputTokens: number },
): Pick<CallEnd, "usage" | "source"> {
  if (complete && told?.source === "reported") return told;
  const usage: Usage = told?.usage ?? noUsage;
  const untold = usage.uncachedIn + usage.cacheRead + usage.write5m + usage.write1h === 0;
  return {
    usage: {
      ...usage,
      ...(untold && { uncachedIn: inputTokens }),
      // The count that a stream begins with is none of what followed.
      output: complete && usage.output > 0 ? usage.output : Math.max(usage.output, Math.ceil(bytes / bytesPerToken)),
    },
    source: told ? "partial" : "estimated",
  };
}

/** Tokens of a request, rather too many, by its length; and of an image, whose bytes say nothing. */
export function tokensFor(bytes: number, images = 0): number {
  return Math.ceil(bytes / bytesPerToken) + images * tokensPerImage;
}
const tokensPerImage = 1600;

/** Server-sent events out of pieces that are cut anywhere. */
function eventReader(onData: (data: string) => void): (piece: Uint8Array) => void {
  const decoder = new TextDecoder();
  let rest = "";
  let data: string[] = [];
  return (piece) => {
    rest += decoder.decode(piece, { stream: true });
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    if (rest.length > longestEvent) rest = "";
    for (const line of lines) {
      if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
      if (line !== "" || data.length === 0) continue;
      onData(data.join("\n"));
      data = [];
    }
  };
}

const encoder = new TextEncoder();

/** Bytes of all the text in a value; names of kinds and ids are none of it. */
function textIn(value: unknown): number {
  if (typeof value === "string") return encoder.encode(value).length;
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + textIn(one), 0);
  return Object.entries(fields(value)).reduce((sum, [key, one]) => sum + (notText.has(key) ? 0 : textIn(one)), 0);
}
const notText = new Set(["type", "role", "id", "index", "signature"]);

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
