/** What Node's test runner prints, in either of its formats (`spec`, `tap`): counts, and each failure with its place. */
import { stripVTControlCharacters } from "node:util";

export interface Place {
  file: string;
  line: number;
}

export interface Failure {
  name: string;
  /** Where the test stands. */
  at: Place;
  /** Frames of the error, innermost first, without Node's own. */
  frames: Place[];
  message: string;
  /** As printed; null where it is no plain value. */
  actual: string | null;
  expected: string | null;
}

export interface TestReport {
  pass: number;
  fail: number;
  failures: Failure[];
}

/** Null if no counts of Node's test runner are in the text. */
export function readTestReport(printed: string): TestReport | null {
  const output = stripVTControlCharacters(printed);
  const pass = count(output, "pass");
  const fail = count(output, "fail");
  if (pass === null || fail === null) return null;
  const cancelled = count(output, "cancelled") ?? 0;
  const spec = output.indexOf("failing tests:");
  return { pass, fail: fail + cancelled, failures: spec >= 0 ? readSpec(output.slice(spec)) : readTap(output) };
}

/** The last one: a run of several suites ends with the total. */
function count(output: string, what: string): number | null {
  const found = [...output.matchAll(new RegExp(`^\\W*${what}\\s+(\\d+)\\s*$`, "gm"))].at(-1)?.[1];
  return found === undefined ? null : Number(found);
}

function readSpec(section: string): Failure[] {
  const parts = section.split(/^test at (.+):(\d+):\d+$/m).slice(1);
  const failures: Failure[] = [];
  for (let i = 0; i + 2 < parts.length; i += 3) {
    const [file = "", line = "", body = ""] = parts.slice(i, i + 3);
    const name = body.match(/^\W*(.*?)(?: \([\d.]+ms\))?$/m)?.[1] ?? "";
    failures.push(toFailure(name, { file, line: Number(line) }, body));
  }
  return failures;
}

function readTap(output: string): Failure[] {
  return output
    .split(/^\s*(?=not ok \d+ - )/m)
    .slice(1)
    .flatMap((part) => {
      const body = part.split(/^\s*\.\.\.\s*$/m)[0] ?? part;
      const at = body.match(/location: ['"](.+):(\d+):\d+['"]/);
      // A suite fails because something in it does.
      if (!at?.[1] || /subtestsFailed/.test(body)) return [];
      const name = body.match(/^not ok \d+ - (.*)$/m)?.[1] ?? "";
      return [toFailure(name, { file: at[1], line: Number(at[2]) }, body)];
    });
}

function toFailure(name: string, at: Place, body: string): Failure {
  const frames = [...body.matchAll(/(?:file:\/\/)?((?:\/|[A-Za-z]:)[^\s():]*):(\d+):\d+/g)].map(([, file = "", line]) => ({
    file,
    line: Number(line),
  }));
  const unequal = body.match(/^\s*(\S.*) (?:!==|!=) (.*\S)\s*$/m);
  return {
    name,
    at,
    frames: frames.filter(({ file }) => !file.includes("/node:")),
    message: body.match(/^\s*(?:\w*Error\b.*|error: .*)$/m)?.[0].trim() ?? "",
    actual: value(body, "actual") ?? unequal?.[1] ?? null,
    expected: value(body, "expected") ?? unequal?.[2] ?? null,
  };
}

function value(body: string, key: string): string | null {
  const text = body.match(new RegExp(`^\\s*${key}: (.+?),?\\s*$`, "m"))?.[1];
  return text === undefined || /^[[{|>]/.test(text) ? null : text;
}

/** A printed scalar to a value; undefined is `undefined` itself or something else. */
export function scalar(text: string | null): number | string | boolean | undefined {
  if (text === null) return undefined;
  if (text === "true" || text === "false") return text === "true";
  const quoted = text.match(/^(['"`])([\s\S]*)\1$/)?.[2];
  if (quoted !== undefined) return quoted;
  const number = Number(text.replace(/n$/, ""));
  return text.trim() !== "" && (text === "NaN" || !Number.isNaN(number)) ? number : undefined;
}
