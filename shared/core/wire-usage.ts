/**
 * What a provider says that a call used, in our terms. The three wires count differently: Anthropic's input leaves out what the cache
 * held or took, OpenAI's holds it; reasoning is inside the output of both.
 */
import type { Usage } from "./ledger.ts";

/** The protocols that models speak: Anthropic's Messages, OpenAI's Chat Completions and OpenAI's Responses. */
export const wires = ["anthropic", "chat", "responses"] as const;
export type Wire = (typeof wires)[number];

export interface ToldUsage {
  usage: Usage;
  /** `partial` where one side of it, input or output, was not told. */
  source: "reported" | "partial";
}

type Fields = Record<string, unknown>;

/**
 * The newest figure wins, and nothing (null, undefined, 0) never wins over a figure, in the details neither: usage comes late, twice, or
 * in parts, and what was used once is not given back.
 */
export function mergeUsage(before: Fields, next: unknown): Fields {
  const told = newer(before, next).map(([key, value]) => {
    const details = fields(before[key]);
    return [key, isGroup(value) ? { ...details, ...Object.fromEntries(newer(details, value)) } : value] as const;
  });
  return { ...before, ...Object.fromEntries(told) };
}

function newer(before: Fields, next: unknown): [string, unknown][] {
  return Object.entries(fields(next)).filter(([key, value]) => value !== null && value !== undefined && !(value === 0 && before[key]));
}

/** A `usage` object as it came. Null where nothing was counted: every call uses something, so all zeros means that nobody told. */
export function toldUsage(wire: Wire, counts: unknown): ToldUsage | null {
  const usage = read[wire](fields(counts));
  const input = usage.uncachedIn + usage.cacheRead + usage.write5m + usage.write1h;
  if (input === 0 && usage.output === 0) return null;
  return { usage, source: input > 0 && usage.output > 0 ? "reported" : "partial" };
}

const read: Readonly<Record<Wire, (counts: Fields) => Usage>> = {
  anthropic(counts) {
    const written = fields(counts.cache_creation);
    const write1h = count(written.ephemeral_1h_input_tokens);
    const output = count(counts.output_tokens);
    return {
      uncachedIn: count(counts.input_tokens),
      cacheRead: count(counts.cache_read_input_tokens),
      write5m: Math.max(count(counts.cache_creation_input_tokens) - write1h, count(written.ephemeral_5m_input_tokens)),
      write1h,
      output,
      reasoning: Math.min(output, count(fields(counts.output_tokens_details).thinking_tokens)),
    };
  },
  chat(counts) {
    // DeepSeek and Kimi tell what the cache held beside the details that OpenAI tells it in.
    const details = fields(counts.prompt_tokens_details);
    const held = [details.cached_tokens, counts.prompt_cache_hit_tokens, counts.cached_tokens].map(count);
    const [input, output] = [count(counts.prompt_tokens), count(counts.completion_tokens)];
    // Gemini leaves what it thought out of the completion, and in the total alone.
    const thought = input > 0 ? Math.max(0, count(counts.total_tokens) - input - output) : 0;
    const reasoning = Math.max(thought, count(fields(counts.completion_tokens_details).reasoning_tokens));
    return inclusive({ input, read: Math.max(...held), written: details.cache_write_tokens }, { output: output + thought, reasoning });
  },
  responses(counts) {
    const details = fields(counts.input_tokens_details);
    return inclusive(
      { input: counts.input_tokens, read: details.cached_tokens, written: details.cache_write_tokens },
      { output: counts.output_tokens, reasoning: fields(counts.output_tokens_details).reasoning_tokens },
    );
  },
};

/** Where the input is a total that the cache's part is inside of. No part is ever more than the whole. */
function inclusive(
  { input, read, written }: { input: unknown; read: unknown; written: unknown },
  { output, reasoning }: { output: unknown; reasoning: unknown },
): Usage {
  const whole = count(input);
  const cacheRead = Math.min(whole, count(read));
  const write5m = Math.min(whole - cacheRead, count(written));
  const out = count(output);
  return {
    uncachedIn: whole - cacheRead - write5m,
    cacheRead,
    write5m,
    write1h: 0,
    output: out,
    reasoning: Math.min(out, count(reasoning)),
  };
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? Math.max(0, Math.trunc(value)) : 0;
}

function isGroup(value: unknown): boolean {
  return typeof value === "object" && !Array.isArray(value);
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}
