/** How many tests ran, by what the usual runners print at their end. No proof that one ran: it can only speak against a run. */

export interface TestCount {
  /** Ended with a result, good or bad. */
  ran: number;
  skipped: number;
}

type Reader = (line: string) => TestCount | null;

const of = (pattern: RegExp, read: (groups: readonly (string | undefined)[]) => Partial<TestCount>): Reader => {
  return (line) => {
    const match = pattern.exec(line);
    return match && { ran: 0, skipped: 0, ...read(match.slice(1)) };
  };
};
const number = (text: string | undefined) => Number(text ?? 0);
const ran = ([n]: readonly (string | undefined)[]) => ({ ran: number(n) });
/** A line of its own about the skipped, where an earlier one counted them in. */
const ofThese = ([n]: readonly (string | undefined)[]) => ({ ran: -number(n), skipped: number(n) });
const none = () => ({});
/** `3 passed, 1 skipped`, in any order. */
const listed = ([list = ""]: readonly (string | undefined)[]) => {
  const sum = (words: string) => [...list.matchAll(new RegExp(`(\\d+) (?:${words})\\b`, "g"))].reduce((all, [, n]) => all + number(n), 0);
  return { ran: sum("passed|xpassed|failed|errors?"), skipped: sum("skipped|todo|pending|xfailed") };
};

/** In each runner's own words; a line is read by the first that knows it. */
const readers: readonly Reader[] = [
  // node:test, tap
  of(/^(?:#|ℹ) tests (\d+)$/, ran),
  of(/^(?:#|ℹ) (?:skipped|todo) (\d+)$/, ofThese),
  // vitest
  of(/^\s*Tests {2,}(?:no tests|(.*\d.*) \(\d+\))$/, listed),
  of(/^No test files found\b/, none),
  // jest
  of(/^Tests: {2,}(.*), \d+ total$/, listed),
  of(/^No tests found\b/, none),
  // mocha
  of(/^\s+(\d+) (?:passing|failing)\b/, ran),
  of(/^\s+(\d+) pending$/, ([n]) => ({ skipped: number(n) })),
  // pytest
  of(/^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s\b/, listed),
  of(/^(?:=+ )?no tests (?:ran|collected)\b/, none),
  // unittest
  of(/^Ran (\d+) tests? in [\d.]+s$/, ran),
  of(/^(?:OK|FAILED|NO TESTS RAN) \(.*\bskipped=(\d+)/, ofThese),
  // cargo
  of(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/, ([passed, failed, ignored]) => {
    return { ran: number(passed) + number(failed), skipped: number(ignored) };
  }),
  // go -v
  of(/^--- (PASS|FAIL|SKIP): /, ([how]) => (how === "SKIP" ? { skipped: 1 } : { ran: 1 })),
  // rspec
  of(/^(\d+) examples?, \d+ failures?(?:, (\d+) pending)?/, ([n, pending]) => {
    return { ran: number(n) - number(pending), skipped: number(pending) };
  }),
  // phpunit
  of(/^OK \((\d+) tests?, \d+ assertions?\)/, ran),
  of(/^Tests: (\d+), Assertions: \d+(?:.*Skipped: (\d+))?/, ([n, skipped]) => {
    return { ran: number(n) - number(skipped), skipped: number(skipped) };
  }),
  of(/^No tests executed!/, none),
  // Maven: its sum, not the line of each class, which goes on
  of(/^(?:\[\w+\] )?Tests run: (\d+), Failures: \d+, Errors: \d+, Skipped: (\d+)$/, ([n, skipped]) => {
    return { ran: number(n) - number(skipped), skipped: number(skipped) };
  }),
  // dotnet
  of(/Failed: +(\d+), Passed: +(\d+), Skipped: +(\d+), Total:/, ([failed, passed, skipped]) => {
    return { ran: number(failed) + number(passed), skipped: number(skipped) };
  }),
  // bun
  of(/^\s*(\d+) (?:pass|fail)$/, ran),
];

/** Characters: no summary is longer, and a pattern's work on a line is bounded. */
const longestLine = 400;
const colours = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, "g");

/** The sum over all that a run's whole output tells; null where no known runner counted. */
export function countTests(output: string): TestCount | null {
  const lines = output
    .replace(colours, "")
    .split(/\r?\n/)
    .filter((line) => line.length <= longestLine);
  const found = lines.map((line) => readers.map((read) => read(line)).find((one) => one !== null)).filter((one) => one !== undefined);
  if (found.length === 0) return onlyEmptyGoPackages(lines) ? { ran: 0, skipped: 0 } : null;
  const sum = (key: keyof TestCount) =>
    Math.max(
      0,
      found.reduce((all, one) => all + one[key], 0),
    );
  return { ran: sum("ran"), skipped: sum("skipped") };
}

/** Without -v go counts no tests, but says where there are none. */
function onlyEmptyGoPackages(lines: readonly string[]): boolean {
  const packages = lines.filter((line) => /^(ok|FAIL|\?)\s+\S/.test(line));
  return packages.length > 0 && packages.every((line) => /\[no (test files|tests to run)\]/.test(line));
}
