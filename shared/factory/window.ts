/** How full a model's window is. Sizes are tokens: counted by the provider as far as it did, else reckoned from bytes. */
import type { ModelRequest } from "#ports/llm.ts";
import type { Entry } from "#ports/transcript.ts";
import { compactionIn } from "./shown.ts";

/** Assumed of a model that nobody knows. */
const usualWindow = 128_000;
/** Left free for the answer and what its calls bring; of a small window a quarter. */
const reserve = 16_000;
/** Rather too many: English takes about four bytes a token, code and most other scripts fewer. */
const bytesPerToken = 3;
const tokensPerImage = 1600;
/** A model that holds less can do no work with tools: what is counted below it proves nothing. */
const leastWindow = 2500;
/** Less is no sign of anything. */
const leastAdded = 500;

/** The longest request that is made of a window of so many tokens. */
export function roomIn(window: number): number {
  return window - Math.min(reserve, Math.floor(window / 4));
}

/**
 * The window as it proved to be. What is sent grows by all that was said and done since, so a provider that counts hardly more than for
 * the request before has cut off its beginning, without a word: what it counts is what it holds.
 */
export function windowOf(entries: readonly Entry[], told: number = usualWindow): number {
  let window = told;
  let before: { at: number; used: Used } | null = null;
  for (const [at, entry] of entries.entries()) {
    // What makes it less: a compaction, and words of the user's, after which providers drop older thinking.
    if (entry.type === "compaction" || entry.type === "user") before = null;
    if (entry.type !== "assistant" || !entry.used) continue;
    if (before && isCut(before.used, entry.used, reckon(entries.slice(before.at, at)))) window = Math.min(window, before.used.input);
    before = { at, used: entry.used };
  }
  return window;
}

type Used = NonNullable<Extract<Entry, { type: "assistant" }>["used"]>;

/** `added`: as reckoned, which is rather too many. A provider that counts what it had cached as nothing counts far less, and is left alone. */
function isCut(before: Used, now: Used, added: number): boolean {
  if (now.model !== before.model || before.input < leastWindow || added < leastAdded) return false;
  return now.input < before.input + added / 5 && now.input > before.input / 3;
}

/** What `request`, made of these entries, will take. */
export function sizeOf(request: Pick<ModelRequest, "system" | "messages" | "tools">, entries: readonly Entry[]): number {
  const at = entries.findLastIndex((entry) => entry.type === "assistant" || entry.type === "compaction");
  const last = entries[at];
  if (last?.type === "assistant" && last.used) return last.used.input + last.used.output + reckon(entries.slice(at + 1));
  return reckon([request.system, request.tools, request.messages]);
}

export function reckon(value: unknown): number {
  let images = 0;
  const json = JSON.stringify(value, (key, part: unknown) => {
    if (key !== "data" || typeof part !== "string") return part;
    images += 1;
    return "";
  });
  return Math.ceil(new TextEncoder().encode(json).length / bytesPerToken) + images * tokensPerImage;
}

/** Where the newest steps begin that take no more than `most` together: the last step at least. Null where there is no step. */
export function recentFrom(entries: readonly Entry[], most: number): number | null {
  let from: number | null = null;
  for (let i = entries.length - 1; i >= compactionIn(entries).from; i -= 1) {
    if (entries[i]?.type !== "assistant") continue;
    if (from !== null && reckon(entries.slice(i)) > most) break;
    from = i;
  }
  return from;
}
