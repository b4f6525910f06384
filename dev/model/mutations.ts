/**
 * Small changes to suspected code, likeliest first: the faults people make with one slip of the hand (an operator, a
 * boundary, a constant, a property, two arguments the wrong way round). What the test expected and got guides the order.
 */
import { closeOf, type Token, tokenize } from "./source.ts";
import type { SourceFile, Suspect } from "./suspects.ts";
import { type Failure, scalar } from "./test-output.ts";

export interface Candidate {
  file: SourceFile;
  /** Replaced stretch of the file's text, and by what. */
  start: number;
  end: number;
  replacement: string;
  score: number;
}

type Kind = "arithmetic" | "comparison" | "logic" | "number" | "name" | "order" | "string";
type Change = { kind: Kind; start: number; end: number; replacement: string; weight: number };

const operators: Record<string, [kind: Kind, replacement: string, weight: number][]> = {
  "+": [
    ["arithmetic", "-", 1],
    ["arithmetic", "*", 0.4],
  ],
  "-": [
    ["arithmetic", "+", 1],
    ["arithmetic", "*", 0.2],
  ],
  "*": [
    ["arithmetic", "/", 0.8],
    ["arithmetic", "+", 0.5],
  ],
  "/": [
    ["arithmetic", "*", 0.8],
    ["arithmetic", "-", 0.2],
  ],
  "%": [["arithmetic", "/", 0.3]],
  "+=": [
    ["arithmetic", "-=", 0.9],
    ["arithmetic", "=", 0.4],
  ],
  "-=": [["arithmetic", "+=", 0.9]],
  "*=": [
    ["arithmetic", "/=", 0.6],
    ["arithmetic", "+=", 0.5],
  ],
  "=": [["arithmetic", "+=", 0.15]],
  "++": [["arithmetic", "--", 0.7]],
  "--": [["arithmetic", "++", 0.7]],
  "<": [
    ["comparison", "<=", 1],
    ["comparison", ">", 0.6],
    ["comparison", ">=", 0.4],
  ],
  "<=": [
    ["comparison", "<", 1],
    ["comparison", ">=", 0.6],
    ["comparison", ">", 0.4],
  ],
  ">": [
    ["comparison", ">=", 1],
    ["comparison", "<", 0.6],
    ["comparison", "<=", 0.4],
  ],
  ">=": [
    ["comparison", ">", 1],
    ["comparison", "<=", 0.6],
    ["comparison", "<", 0.4],
  ],
  "===": [["logic", "!==", 0.7]],
  "!==": [["logic", "===", 0.7]],
  "&&": [["logic", "||", 0.8]],
  "||": [
    ["logic", "&&", 0.8],
    ["logic", "??", 0.3],
  ],
  "!": [["logic", "", 0.6]],
};

/** Methods that are taken for one another. */
const families = [
  ["floor", "ceil", "round", "trunc"],
  ["min", "max"],
  ["toUpperCase", "toLowerCase"],
  ["push", "unshift"],
  ["pop", "shift"],
  ["some", "every"],
  ["startsWith", "endsWith"],
  ["indexOf", "lastIndexOf"],
  ["find", "findLast"],
  ["padStart", "padEnd"],
  ["trimStart", "trimEnd", "trim"],
  ["keys", "values", "entries"],
];

/** At most `limit` of them, and never two with the same effect. */
export function candidatesFor(failure: Failure, suspects: readonly Suspect[], limit: number): Candidate[] {
  const seen = new Set<string>();
  const factor = guide(failure);
  return suspects
    .flatMap((suspect) => {
      const all = tokenize(suspect.file.text);
      const tokens = all.filter((token) => token.start >= suspect.start && token.end <= suspect.end);
      // It got the very value that one branch returns: the wrong way was taken, the sums are right.
      const branchy = tokens.some((token, i) => token.text === failure.actual && tokens[i - 1]?.text === "return");
      return changes(tokens, all, suspect.file.text, failure).map((change) => ({
        file: suspect.file,
        start: change.start,
        end: change.end,
        replacement: change.replacement,
        score: suspect.suspicion * change.weight * factor(change.kind) * (branchy && isDecision(change.kind) ? 2.5 : 1),
      }));
    })
    .sort((a, b) => b.score - a.score)
    .filter(({ file, start, end, replacement }) => {
      const key = `${file.path} ${start} ${end} ${replacement}`;
      return !seen.has(key) && seen.add(key);
    })
    .slice(0, limit);
}

function isDecision(kind: Kind): boolean {
  return kind === "comparison" || kind === "logic";
}

/** How much likelier a kind of fault is, given what came instead of what. */
function guide(failure: Failure): (kind: Kind) => number {
  const actual = scalar(failure.actual);
  const expected = scalar(failure.expected);
  const lost = failure.actual === "undefined" || Number.isNaN(actual) || /TypeError|ReferenceError/.test(failure.message);
  const byKind: Partial<Record<Kind, number>> = lost
    ? { name: 2.5, order: 1.2 }
    : typeof expected === "boolean"
      ? { comparison: 1.5, logic: 1.5, arithmetic: 0.6 }
      : typeof expected === "number" && typeof actual === "number"
        ? { arithmetic: 1.2, number: 1.2, ...(Math.abs(expected - actual) === 1 && { comparison: 1.4 }) }
        : typeof expected === "string"
          ? { string: 2, name: 1.3, order: 1.2 }
          : { comparison: 1.2 };
  return (kind) => byKind[kind] ?? 1;
}

function changes(tokens: readonly Token[], all: readonly Token[], source: string, failure: Failure): Change[] {
  const names = namesIn(tokens, all);
  return tokens.flatMap((token, i): Change[] => {
    const at = { start: token.start, end: token.end };
    switch (token.type) {
      case "op":
        return [...operatorChanges(tokens, i), ...swaps(tokens, i, source)];
      case "num":
        return numberChanges(token, failure).map(([replacement, weight]) => ({ kind: "number", ...at, replacement, weight }));
      case "id":
        return nameChanges(tokens, i, names).map(([replacement, weight]) => ({ kind: "name", ...at, replacement, weight }));
      case "str":
        return stringChanges(token, failure).map((replacement) => ({ kind: "string", ...at, replacement, weight: 0.9 }));
    }
    return [];
  });
}

function operatorChanges(tokens: readonly Token[], i: number): Change[] {
  const token = tokens[i];
  const before = tokens[i - 1];
  if (!token) return [];
  const binary = before !== undefined && (before.type !== "op" || /^[)\]]$/.test(before.text)) && before.text !== "return";
  if (!binary && !/^(!|\+\+|--)$/.test(token.text)) return [];
  // `const a = 1` declares; only `a = …` may have meant `a += …`.
  if (token.text === "=" && /^(const|let|var)$/.test(tokens[i - 2]?.text ?? "")) return [];
  const { start, end } = token;
  return (operators[token.text] ?? []).map(([kind, replacement, weight]) => ({ kind, start, end, replacement, weight }));
}

/** `a - b` to `b - a` for simple operands, and `f(a, b, c)` to `f(b, a, c)` or `f(a, c, b)`. */
function swaps(tokens: readonly Token[], i: number, source: string): Change[] {
  const text = tokens[i]?.text ?? "";
  const swap = ([a, b]: Range, [c, d]: Range, weight: number): Change[] => {
    const [first, firstEnd, second, last] = [tokens[a], tokens[b], tokens[c], tokens[d]];
    if (!first || !firstEnd || !second || !last) return [];
    const [left, between, right] = [
      [first.start, firstEnd.end],
      [firstEnd.end, second.start],
      [second.start, last.end],
    ].map(([from, to]) => source.slice(from, to));
    return left === right ? [] : [{ kind: "order", start: first.start, end: last.end, replacement: `${right}${between}${left}`, weight }];
  };
  if (/^[-/%]$/.test(text)) {
    const left = chainBack(tokens, i - 1);
    const right = chain(tokens, i + 1);
    return left !== null && right !== null ? swap([left, i - 1], [i + 1, right], 0.5) : [];
  }
  if (text !== "(" || tokens[i - 1]?.type !== "id" || tokens[i - 2]?.text === "function" || isParameters(tokens, i)) return [];
  const given = argumentsAt(tokens, i);
  return given.slice(1).flatMap((range, k) => swap(given[k] ?? range, range, given.length === 2 ? 0.6 : 0.5));
}

type Range = readonly [first: number, last: number];

/** Token ranges of the arguments in the bracket at `open`. */
function argumentsAt(tokens: readonly Token[], open: number): Range[] {
  const close = closeOf(tokens, open);
  const ranges: Range[] = [];
  let from = open + 1;
  for (let i = from; i <= close; i++) {
    const text = tokens[i]?.type === "op" ? tokens[i]?.text : "";
    if (text === "(" || text === "[" || text === "{") i = closeOf(tokens, i);
    else if (text === "," || i === close) {
      if (i > from) ranges.push([from, i - 1]);
      from = i + 1;
    }
  }
  return ranges;
}

/** True if the bracket at `open` holds what a function takes, not what it is given. */
function isParameters(tokens: readonly Token[], open: number): boolean {
  return /^(\{|=>)$/.test(tokens[closeOf(tokens, open) + 1]?.text ?? "") && !/^(if|while|for|switch)$/.test(tokens[open - 1]?.text ?? "");
}

/** Index of the last token of `a.b.c` that begins at `i`, or null. */
function chain(tokens: readonly Token[], i: number): number | null {
  const token = tokens[i];
  if (!token || token.type === "op") return null;
  let end = i;
  while (tokens[end + 1]?.text === "." && tokens[end + 2]?.type === "id") end += 2;
  return tokens[end + 1]?.text === "(" || tokens[end + 1]?.text === "[" ? null : end;
}

function chainBack(tokens: readonly Token[], i: number): number | null {
  const token = tokens[i];
  if (!token || token.type === "op" || token.text === "return") return null;
  let start = i;
  while (tokens[start - 1]?.text === "." && tokens[start - 2]?.type === "id") start -= 2;
  return start;
}

/** Neighbours, powers of ten, and what makes the expected value out of the actual one by ratio or difference. */
function numberChanges(token: Token, failure: Failure): [string, number][] {
  const n = Number(token.text.replaceAll("_", ""));
  if (!Number.isFinite(n)) return [];
  const actual = scalar(failure.actual);
  const expected = scalar(failure.expected);
  const guided: [number, number][] =
    typeof actual === "number" && typeof expected === "number" && actual !== 0
      ? [
          [(n * expected) / actual, 0.9],
          [n + expected - actual, 0.7],
        ]
      : [];
  const blind: [number, number][] = [
    [n + 1, 0.6],
    [n - 1, 0.6],
    [n * 10, 0.4],
    [n / 10, 0.4],
    [n * 100, 0.35],
    [n / 100, 0.35],
  ];
  return [...guided, ...blind]
    .map(([value, weight]): [number, number] => [Number(value.toPrecision(6)), weight])
    .filter(([value]) => Number.isFinite(value) && value >= 0 && value !== n && String(value).length <= 8)
    .map(([value, weight]) => [String(value), weight]);
}

interface Names {
  properties: Set<string>;
  variables: Set<string>;
}

const keywords = new Set(
  "const let var function return if else for of in while do new class extends import from export default async await this null undefined typeof throw try catch finally switch case break continue static get set super void delete instanceof yield".split(
    " ",
  ),
);

function namesIn(tokens: readonly Token[], all: readonly Token[]): Names {
  const names: Names = { properties: new Set(), variables: new Set() };
  for (const [i, token] of all.entries()) {
    if (token.type !== "id") continue;
    const next = all[i + 1]?.text;
    const before = all[i - 1]?.text ?? "";
    const shorthand = /^[{,]$/.test(before) && /^[,}]$/.test(next ?? "");
    if (next === ":" || shorthand || (before === "." && next !== "(")) names.properties.add(token.text);
  }
  for (const [i, token] of tokens.entries()) {
    const free = tokens[i - 1]?.text !== "." && tokens[i + 1]?.text !== "(" && tokens[i + 1]?.text !== ":";
    const global = /^[A-Z]/.test(token.text) && tokens[i + 1]?.text === ".";
    if (token.type === "id" && free && !global && !keywords.has(token.text)) names.variables.add(token.text);
  }
  return names;
}

function nameChanges(tokens: readonly Token[], i: number, names: Names): [string, number][] {
  const token = tokens[i];
  if (!token || keywords.has(token.text)) return [];
  if (token.text === "true" || token.text === "false") return [[token.text === "true" ? "false" : "true", 0.6]];
  const others = (set: Set<string>, weight: number) =>
    [...set]
      .filter((name) => name !== token.text && name.startsWith("#") === token.text.startsWith("#"))
      .map((name): [string, number] => [name, weight]);
  const next = tokens[i + 1]?.text;
  if (tokens[i - 1]?.text === ".") {
    const family = families.find((members) => members.includes(token.text));
    if (next === "(") return others(new Set(family ?? []), 0.8);
    return others(names.properties, 0.5);
  }
  const parameter = tokens.slice(0, i).some((open, at) => open.text === "(" && closeOf(tokens, at) > i && isParameters(tokens, at));
  const declares = parameter || /^(const|let|var|function|class)$/.test(tokens[i - 1]?.text ?? "") || next === "=" || next === "=>";
  return declares || next === "(" || next === ":" || !names.variables.has(token.text) ? [] : others(names.variables, 0.3);
}

/** Where the texts differ, put what was expected in place of what came. */
function stringChanges(token: Token, failure: Failure): string[] {
  const actual = scalar(failure.actual);
  const expected = scalar(failure.expected);
  if (typeof actual !== "string" || typeof expected !== "string") return [];
  let head = 0;
  while (head < actual.length && actual[head] === expected[head]) head++;
  let tail = 0;
  while (tail < Math.min(actual.length, expected.length) - head && actual.at(-1 - tail) === expected.at(-1 - tail)) tail++;
  const came = actual.slice(head, actual.length - tail);
  const wanted = expected.slice(head, expected.length - tail);
  const body = token.text.slice(1, -1);
  const quote = token.text[0] ?? '"';
  if (/[\\\n$]/.test(wanted) || wanted.includes(quote)) return [];
  const replaced = came && body.includes(came) ? body.replace(came, wanted) : null;
  const whole = body && body === came ? wanted : null;
  return [...new Set([replaced, whole].filter((text): text is string => text !== null && text !== body))].map(
    (text) => `${quote}${text}${quote}`,
  );
}
