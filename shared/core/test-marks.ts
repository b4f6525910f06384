/** Lines of test code that say: run this not, run only that, or: this must be so. By the language that the file's name tells. */

interface Marks {
  /** The test, or others beside it, do not run, or may fail; or all ends there, and well. */
  skip: RegExp;
  /** A test begins. */
  test: RegExp;
}

const javascript: Marks = {
  skip: /\bprocess\.(exit\(\s*0?\s*\)|exitCode\s*=\s*0\b)|\b(it|test|describe|suite|context|specify|bench|[tT]est[sS]uite)(\.\w+)*\.(skip|skipIf|runIf|todo|fixme|fails|failing|only)\b|\b(xit|xtest|xdescribe|xcontext|xspecify|fit|fdescribe|ftest)\s*[(.`]|\b(skip|todo|only)\s*:\s*(?!false)\S|\b(t|ctx|context|this|test|testInfo)\.(skip|todo|fixme)\s*\(/,
  test: /\b(it|test|specify|scenario)(\.\w+)*\s*[(`]/,
};
const python: Marks = {
  skip: /\bos\._exit\(|\b(sys\.)?exit\(\s*0?\s*\)|@(\w+\.)*(skip|skipif|skipIf|skipUnless|xfail|expectedFailure)\b|\bpytestmark\s*=.*\b(skip|skipif|xfail)\b|\b(pytest\.(skip|xfail|importorskip)|skipTest)\s*\(|\bSkipTest\b|\bcollect_ignore(_glob)?\b|\b__test__\s*=\s*False/,
  test: /^\s*(async\s+)?def\s+test\w*\s*\(|^\s*class\s+Test/,
};
const go: Marks = {
  skip: /\bfunc\s+TestMain\(|\bos\.Exit\(\s*0|\b\w+\.Skip(f|Now)?\(|^\s*\/\/\s*(go:build|\+build)\b/,
  test: /^\s*func\s+(Test|Fuzz|Example)\w*\s*\(|\b\w+\.Run\(/,
};
const rust: Marks = { skip: /#\[\s*(ignore\b|cfg_attr\([^\]]*\bignore\b)/, test: /#\[\s*([\w:]+::)?(test|rstest|test_case)\b/ };
const jvm: Marks = {
  skip: /@(Disabled|Ignore|IgnoreRest|PendingFeature|DisabledIf|DisabledOn|EnabledIf|EnabledOn)\w*\b|\b(assume(True|False|That|Not)|assumingThat)\b|\benabled\s*=\s*false/,
  test: /@(Test|ParameterizedTest|RepeatedTest|TestFactory)\b|\bshould\s*\(/,
};
const dotnet: Marks = {
  skip: /\bSkip\s*=\s*"|\[\s*(Ignore|Explicit|Inconclusive)\b|\bAssert\.(Ignore|Inconclusive|Skip)\w*\(/,
  test: /\[\s*(Fact|Theory|Test|TestCase|TestMethod|DataTestMethod)\b/,
};
const ruby: Marks = {
  skip: /\b(xit|xdescribe|xcontext|xspecify|skip|pending|fit|fdescribe)\b|\bskip:\s*\S/,
  test: /^\s*(it|specify|test)\b|^\s*def\s+test_/,
};
const php: Marks = {
  skip: /\bmarkTest(Skipped|Incomplete)\b|->skip\(|@(doesNotPerformAssertions|requires)\b/,
  test: /\bfunction\s+test\w*\s*\(|#\[\s*Test\b|@test\b/,
};
const others: Marks = {
  skip: /\bXCTSkip|\bGTEST_SKIP\b|\bDISABLED_\w|@tag\s+:?skip|\bskip:\s*(true|")|\bskip\s+["$\d]|\bTODO_SKIP\b/,
  test: /\bTEST(_[FPG])?\s*\(|^\s*test\s+"|\bfunc\s+test\w*\s*\(|@test\b/,
};

const byEnding: readonly (readonly [RegExp, Marks])[] = [
  [/\.([cm]?[jt]sx?|vue|svelte)$/i, javascript],
  [/\.pyi?$/i, python],
  [/\.go$/, go],
  [/\.rs$/, rust],
  [/\.(java|kts?|scala|groovy)$/, jvm],
  [/\.(cs|fs|vb)$/, dotnet],
  [/\.rb$/, ruby],
  [/\.php$/, php],
];
const claim =
  /\b(expect\w*|assert\w*|should\w*|XCTAssert\w*|REQUIRE\w*|CHECK\w*|EXPECT_\w+|ASSERT_\w+|verify\w*|\w+\.(Error|Fatal)f?|\w+\.Fail(Now)?|require\.\w+|must\w*|raises)\b\s*[!(.:=\s]|^\s*assert\b/i;
const comment = /^\s*(\/\/(?!\s*(go:build|\+build))|#(?!\[)|\/?\*|--|;|<!--|"""|''')/;

/** Characters that are looked at: a pattern's work on a line is bounded. */
const longestLine = 1000;

export interface Counted {
  skips: number;
  tests: number;
  claims: number;
}

/** What some lines of the file at `path` hold; a commented line holds nothing. */
export function marksIn(path: string, lines: readonly string[]): Counted {
  const { skip, test } = byEnding.find(([ending]) => ending.test(path))?.[1] ?? others;
  const live = lines
    .map((line) => line.slice(0, longestLine))
    .filter((line) => !comment.test(line) || (/\.php$|\.java$/.test(path) && /@\w/.test(line)));
  const count = (pattern: RegExp) => live.filter((line) => pattern.test(line)).length;
  return { skips: count(skip), tests: count(test), claims: count(claim) };
}
