/** JavaScript as far as a small repair needs it: tokens, the functions they form, and what a file imports. */

export interface Token {
  type: "id" | "num" | "str" | "op";
  text: string;
  start: number;
  end: number;
}

/** A stretch of source: a function, a top-level definition, or a call of `test`. */
export interface Span {
  name: string;
  start: number;
  end: number;
}

const lexeme =
  /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(?<str>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|(?<num>\b\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?n?\b)|(?<id>[A-Za-z_$#][\w$]*)|(?<op>=>|\.\.\.|\?\?=?|\?\.|>>>=?|\*\*=?|===|!==|[=!<>+\-*/%&|^]=|&&=?|\|\|=?|\+\+|--|<<|>>|[^\s\w])/g;

/** Comments are left out. Regular expression literals are not told from divisions: nothing here needs to. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  for (const match of source.matchAll(lexeme)) {
    const type = (["str", "num", "id", "op"] as const).find((kind) => match.groups?.[kind] !== undefined);
    if (type) tokens.push({ type, text: match[0], start: match.index, end: match.index + match[0].length });
  }
  return tokens;
}

const closing: Record<string, string> = { "(": ")", "[": "]", "{": "}" };

/** Index of the token that closes the bracket at `open`; the last token if none does. */
export function closeOf(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let i = open; i < tokens.length; i++) {
    const text = tokens[i]?.type === "op" ? (tokens[i]?.text ?? "") : "";
    if (text in closing) depth++;
    if (text === ")" || text === "]" || text === "}") depth--;
    if (depth === 0) return i;
  }
  return tokens.length - 1;
}

const notMethods = new Set([
  "if",
  "for",
  "while",
  "switch",
  "catch",
  "return",
  "function",
  "await",
  "typeof",
  "super",
  "test",
  "it",
  "describe",
]);

/** Functions, methods and arrow functions that have a name, in source order. */
export function functionsOf(tokens: readonly Token[]): Span[] {
  const spans: Span[] = [];
  const text = (i: number) => tokens[i]?.text ?? "";
  const add = (name: string, from: number, to: number) => spans.push({ name, start: tokens[from]?.start ?? 0, end: tokens[to]?.end ?? 0 });

  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i]?.type !== "id") continue;
    if (text(i) === "function") {
      const at = text(i + 1) === "*" ? i + 2 : i + 1;
      const parens = text(at) === "(" ? at : at + 1;
      const name = text(at) === "(" ? (text(i - 1) === "=" ? text(i - 2) : "default") : text(at);
      const body = skipTo(tokens, closeOf(tokens, parens), "{");
      add(name, i, closeOf(tokens, body));
    } else if (text(i + 1) === "=" || text(i + 1) === ":") {
      const first = text(i + 2) === "async" ? i + 3 : i + 2;
      const arrow = text(first) === "(" ? closeOf(tokens, first) + 1 : first + 1;
      if (text(arrow) === "=>") add(text(i), i, endOfExpression(tokens, arrow + 1));
    } else if (text(i + 1) === "(" && !notMethods.has(text(i)) && text(i - 1) !== "function") {
      const body = closeOf(tokens, i + 1) + 1;
      if (text(body) === "{" && !/^[.=(,]$/.test(text(i - 1))) add(text(i), i, closeOf(tokens, body));
    }
  }
  return spans;
}

function skipTo(tokens: readonly Token[], from: number, wanted: string): number {
  for (let i = from; i < tokens.length; i++) if (tokens[i]?.text === wanted) return i;
  return tokens.length - 1;
}

/** From `from` to the `;`, the `,` or the closing bracket that ends it. */
function endOfExpression(tokens: readonly Token[], from: number): number {
  for (let i = from; i < tokens.length; i++) {
    const text = tokens[i]?.type === "op" ? tokens[i]?.text : undefined;
    if (text !== undefined && text in closing) i = closeOf(tokens, i);
    else if (text === ";" || text === "," || text === ")" || text === "}" || text === "]") return i - 1;
  }
  return tokens.length - 1;
}

/** `const NAME = …;` at the top level, functions left out. */
export function constantsOf(tokens: readonly Token[], functions: readonly Span[]): Span[] {
  return tokens.flatMap((token, i): Span[] => {
    const name = tokens[i + 1];
    if (!/^(const|let|var)$/.test(token.text) || name?.type !== "id" || tokens[i + 2]?.text !== "=") return [];
    const end = tokens[endOfExpression(tokens, i + 3)]?.end ?? token.end;
    const inside = functions.some((span) => span.start <= name.start && name.end <= span.end);
    return inside ? [] : [{ name: name.text, start: token.start, end }];
  });
}

/** Calls of `test(…)` and `it(…)`. */
export function testsOf(tokens: readonly Token[]): Span[] {
  return tokens.flatMap((token, i): Span[] => {
    if (!/^(test|it)$/.test(token.text) || tokens[i + 1]?.text !== "(" || tokens[i - 1]?.text === ".") return [];
    const name = tokens[i + 2]?.text.slice(1, -1) ?? "";
    return [{ name, start: token.start, end: tokens[closeOf(tokens, i + 1)]?.end ?? token.end }];
  });
}

/** Relative specifiers of a file's imports. */
export function importsOf(source: string): string[] {
  const found = source.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)["'](\.{1,2}\/[^"']+)["']/g);
  return [...new Set([...found].flatMap((match) => match[1] ?? []))];
}

/** `specifier` as seen from `file`; both with forward slashes. */
export function resolveImport(file: string, specifier: string): string {
  const parts = file.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

export function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split("\n").length;
}

export function idsIn(tokens: readonly Token[], span: { start: number; end: number }): Set<string> {
  return new Set(
    tokens.filter((token) => token.type === "id" && token.start >= span.start && token.end <= span.end).map((token) => token.text),
  );
}
