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
      return changes(tokens, all, failure).map((change) => ({
        file: suspect.file,
        start: change.start,
        end: change.end,
        replacement: change.replacement,
        score: suspect.suspicion * change.weight * factor(change.kind),
      }));
    })
    .sort((a, b) => b.score - a.score)
    .filter(({ file, start, end, replacement }) => {
      const key = `${file.path} ${start} ${end} ${replacement}`;
      return !seen.has(key) && seen.add(key);
    })
    .slice(0, limit);
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

function changes(tokens: readonly Token[], all: readonly Token[], failure: Failure): Change[] {
  const names = namesIn(tokens, all);
  return tokens.flatMap((token, i): Change[] => {
    const at = { start: token.start, end: token.end };
    switch (token.type) {
      case "op":
        return [...operatorChanges(tokens, i), ...swaps(tokens, i)];
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

/** `a - b` to `b - a`, and `f(a, b)` to `f(b, a)`, for operands that are a name, a value or a chain of names. */
function swaps(tokens: readonly Token[], i: number): Change[] {
  const text = tokens[i]?.text ?? "";
  const swap = (a: [number, number], b: [number, number], weight: number): Change[] => {
    const [first, last] = [tokens[a[0]], tokens[b[1]]];
    if (!first || !last) return [];
    const join = (from: number, to: number) =>
      tokens
        .slice(from, to + 1)
        .map((token) => token.text)
        .join("");
    const between = text === "(" || text === "," ? ", " : ` ${text} `;
    const replacement = `${join(...b)}${between}${join(...a)}`;
    return [{ kind: "order", start: first.start, end: last.end, replacement, weight }];
  };
  if (/^[-/%]$/.test(text)) {
    const left = chainBack(tokens, i - 1);
    const right = chain(tokens, i + 1);
    return left !== null && right !== null ? swap([left, i - 1], [i + 1, right], 0.5) : [];
  }
  if (text !== "(" || tokens[i - 1]?.type !== "id" || tokens[i - 2]?.text === "function") return [];
  const close = closeOf(tokens, i);
  const first = chain(tokens, i + 1);
  if (first === null || tokens[first + 1]?.text !== ",") return [];
  const second = chain(tokens, first + 2);
  return second !== null && second + 1 === close ? swap([i + 1, first], [first + 2, second], 0.6) : [];
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
  called: Set<string>;
  variables: Set<string>;
}

const keywords = new Set(
  "const let var function return if else for of in while do new class extends import from export default async await this null undefined typeof throw try catch finally switch case break continue static get set super void delete instanceof yield".split(
    " ",
  ),
);

function namesIn(tokens: readonly Token[], all: readonly Token[]): Names {
  const names: Names = { properties: new Set(), called: new Set(), variables: new Set() };
  for (const [i, token] of all.entries()) {
    if (token.type !== "id") continue;
    const next = all[i + 1]?.text;
    if (all[i - 1]?.text === ".") (next === "(" ? names.called : names.properties).add(token.text);
    else if (next === ":") names.properties.add(token.text);
  }
  for (const [i, token] of tokens.entries()) {
    const free = tokens[i - 1]?.text !== "." && tokens[i + 1]?.text !== "(" && tokens[i + 1]?.text !== ":";
    if (token.type === "id" && free && !keywords.has(token.text)) names.variables.add(token.text);
  }
  return names;
}

function nameChanges(tokens: readonly Token[], i: number, names: Names): [string, number][] {
  const token = tokens[i];
  if (!token || keywords.has(token.text)) return [];
  if (token.text === "true" || token.text === "false") return [[token.text === "true" ? "false" : "true", 0.6]];
  const others = (set: Set<string>, weight: number) =>
    [...set].filter((name) => name !== token.text).map((name): [string, number] => [name, weight]);
  const next = tokens[i + 1]?.text;
  if (tokens[i - 1]?.text === ".") {
    const family = families.find((members) => members.includes(token.text));
    if (next === "(") return others(new Set(family ?? []), 0.8);
    return others(names.properties, 0.5);
  }
  const declares = /^(const|let|var|function|class)$/.test(tokens[i - 1]?.text ?? "") || next === "=" || next === "=>";
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
