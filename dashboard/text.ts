/** Text that others wrote, made safe to look at. Escaping is JSX's job; this is about what a reader is shown. */

// Bidirectional overrides, invisible and control characters can make a command or a diff read otherwise than it runs.
// Tabs and line ends stay; so do the joiners inside emoji and several scripts.
const invisible = /(?![\t\n\u200c\u200d])[\p{Cc}\p{Cf}\u2028\u2029]/gu;
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours begin with ESC.
const terminalCodes = /\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\r(?=\n)/g;

/** Terminal colours removed; every other invisible character written out as `⟨U+202E⟩`. */
export function plain(text: string): string {
  return text.replace(terminalCodes, "").replace(invisible, (c) => `⟨U+${c.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** `12 s`, `4 min`, `2 h 5 min`, `3 d`: how long, for a person. Milliseconds; below zero counts as zero. The same rule is in client/view.js. */
export function span(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min`;
  const h = Math.floor(min / 60);
  if (h >= 48) return `${Math.floor(h / 24)} d`;
  return min % 60 === 0 ? `${h} h` : `${h} h ${min % 60} min`;
}

/** A measured duration, finer than `span`: `43 ms`, `1.8 s`, `52 s`, `3 min 20 s`. Milliseconds. */
export function measured(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const s = ms / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return s % 60 < 1 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  return span(ms);
}

/** `2026-11-23 07:26:37 UTC`. */
export function moment(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Digits in groups of three: `12,345`. */
export function digits(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** `1 task`, `2 tasks`. */
export function many(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** `12 %`; of nothing, nothing. What is not nothing is never shown as 0 %. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return "";
  const share = (100 * part) / whole;
  return share > 0 && share < 1 ? "<1 %" : `${Math.round(share)} %`;
}
