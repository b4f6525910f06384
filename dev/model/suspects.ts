/** Which code a failing test points to: what it names, what that calls, less what passing tests use too. */
import { constantsOf, functionsOf, idsIn, lineAt, type Span, type Token, testsOf, tokenize } from "./source.ts";
import type { Failure } from "./test-output.ts";

export interface SourceFile {
  path: string;
  text: string;
}

export interface Suspect extends Span {
  file: SourceFile;
  /** Above 0; the higher, the likelier. */
  suspicion: number;
}

interface Parsed {
  file: SourceFile;
  tokens: Token[];
  spans: Span[];
}

/** Suspects in `sources` for a failure of `test`, likeliest first. */
export function suspectsOf(failure: Failure, test: SourceFile, sources: readonly SourceFile[]): Suspect[] {
  const testTokens = tokenize(test.text);
  const tests = testsOf(testTokens);
  const failing =
    tests.find((span) => lineAt(test.text, span.start) === failure.at.line) ?? tests.find((span) => span.name === failure.name);
  const named = idsIn(testTokens, failing ?? { start: 0, end: test.text.length });
  const passing = tests.filter((span) => span !== failing).map((span) => idsIn(testTokens, span));

  const parsed = sources.map((file): Parsed => {
    const tokens = tokenize(file.text);
    const functions = functionsOf(tokens);
    return { file, tokens, spans: [...functions, ...constantsOf(tokens, functions)] };
  });
  const reach = reachOf(named, parsed);
  return parsed
    .flatMap(({ file, spans }) =>
      spans.map((span): Suspect => {
        const depth = reach.get(span.name);
        const used = passing.filter((names) => names.has(span.name)).length;
        const framed = failure.frames.some((frame) => within(frame, file, span));
        const near = depth === undefined ? 0.05 : 0.8 ** depth;
        return { ...span, file, suspicion: (near / (1 + 0.3 * used)) * (framed ? 3 : 1) };
      }),
    )
    .sort((a, b) => b.suspicion - a.suspicion);
}

/** Names to how many calls away from the test they are. */
function reachOf(named: ReadonlySet<string>, parsed: readonly Parsed[]): Map<string, number> {
  const reach = new Map([...named].map((name) => [name, 0]));
  for (let depth = 0; depth < 4; depth++) {
    for (const { tokens, spans } of parsed) {
      for (const span of spans) {
        if (reach.get(span.name) !== depth) continue;
        for (const name of idsIn(tokens, span)) if (!reach.has(name)) reach.set(name, depth + 1);
      }
    }
  }
  return reach;
}

function within(frame: { file: string; line: number }, file: SourceFile, span: Span): boolean {
  const line = frame.line;
  return frame.file.endsWith(file.path) && line >= lineAt(file.text, span.start) && line <= lineAt(file.text, span.end);
}
