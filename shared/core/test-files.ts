/** Which files of a repository are its tests, and which say what its tests are: by name, and for manifests by the part that counts. */

const folders = /(^|\/)(__tests__|__snapshots__|__mocks__|__fixtures__|tap-snapshots|tests?|specs?|e2e|testdata|cypress)\//i;
/** Names that are tests wherever they lie. Case counts: `LatestTest.java` is one, `Latest.java` is none. */
const names = [
  /[._-](tests?|specs?|e2e|cy)\.[cm]?[jt]sx?$/,
  /^(tests?_[^/]*|[^/]*_tests?)\.(py|pyi|go|rb|exs?|dart|lua|c|cc|cpp|rs|php|ml|jl)$/i,
  /^(tests?[_-][^/]*|[^/]*[_-]tests?)\.(sh|bash|zsh|pl|py)$/i,
  /^(tests|specs|((run|self|unit|smoke|all)[_-]?tests?))\.([cm]?[jt]sx?|pyi?|rb|rs|lua|c|cc|cpp|php|pl|sh|bash)$/i,
  /^conftest\.py$/,
  /_spec\.rb$/,
  /(Tests?|TestCase|Spec|IT)\.(java|kt|kts|scala|groovy|cs|fs|vb|swift|php|mm?)$/,
  /^Test[A-Z][^/]*\.(java|kt|cs|php)$/,
  /\.(snap|t|bats|feature)$/,
];
/** `test.js` is what tests a small package; below its sources it is rather what its command `test` does. */
const alone = /^(?!(.*\/)?(src|lib|cmd|commands?|cli)\/)(.*\/)?(test|spec)\.([cm]?[jt]sx?|pyi?|rb|lua|c|cc|cpp|php|pl|sh|bash)$/i;
const sources =
  /\.([cm]?[jt]sx?|vue|svelte|pyi?|go|rs|rb|java|kts?|scala|groovy|cs|fs|vb|swift|mm?|php|exs?|dart|lua|c|cc|cpp|h|hpp|ml|jl|sh|t|bats|feature|zig|clj|hs|r|pl)$/i;

/** Tests and what lies with them: helpers, fixtures, snapshots. */
export function isTestFile(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return folders.test(path) || alone.test(path) || names.some((pattern) => pattern.test(name));
}

/** Of the tests, those that are code. */
export function isTestCode(path: string): boolean {
  return isTestFile(path) && sources.test(path);
}

/** Rust keeps tests in the sources that they test. */
export function mayHoldTests(path: string): boolean {
  return isTestCode(path) || path.endsWith(".rs");
}

const continuous =
  /^(\.github\/workflows\/|\.gitlab-ci|\.circleci\/|\.buildkite\/|\.drone\.yml|\.travis\.yml|azure-pipelines|bitbucket-pipelines|Jenkinsfile)/;

/** What a server elsewhere runs the tests by. The factory runs nothing of it. */
export function isCi(path: string): boolean {
  return continuous.test(path);
}

/** Files that say how something is tested, or by what the tool that tests runs it. */
const wholes = [
  /(^|\/)(vite|vitest|jest|karma|playwright|cypress|ava|mocha|wdio|web-test-runner|jasmine)([.-][\w-]+)*\.(config|conf|workspace|setup)\.\w+$/,
  /(^|\/)(vitest|jest)\.(config|workspace|setup|projects)(\.[\w-]+)*\.\w+$/,
  /(^|\/)\.(mocharc|nycrc|taprc|c8rc|rspec|jasmine|npmrc|yarnrc|pnpmfile)(\.\w+)?$|(^|\/)bunfig\.toml$/,
  /(^|\/)((GNUm|M|m)akefile|[Jj]ustfile|Taskfile\.ya?ml|Rakefile)$/,
  /(^|\/)((pytest|tox)\.(ini|toml)|\.pytest\.ini|noxfile\.py|conftest\.py|(site|user)customize\.py|\.coveragerc)$/,
  /(^|\/)(phpunit(\.\w+)*\.xml(\.dist)?|nextest\.toml|CTestTestfile\.cmake|\.cargo\/config(\.toml)?|\.mvn\/[\w.]+)$/,
];
/** Files that say so among other things. */
const parts: readonly (readonly [RegExp, (text: string) => string])[] = [
  [/(^|\/)package\.json$/, scriptsPart],
  [/(^|\/)(pyproject\.toml|setup\.cfg|Cargo\.toml)$/, sectionsPart],
  [
    /(^|\/)(pom\.xml|(build|settings)\.gradle(\.kts)?|gradle\.properties|CMakeLists\.txt|meson\.build|mix\.exs|Package\.swift|deno\.jsonc?|[^/]+\.(cs|fs)proj)$/,
    linesPart,
  ],
];

/** Whether it may say what the tests are, or how they run. */
export function isTestConfig(path: string): boolean {
  return wholes.some((pattern) => pattern.test(path)) || parts.some(([pattern]) => pattern.test(path));
}

/** By its name it checks, and is not checked itself. */
const checking = /(^|[^a-z])(tests?|checks?|specs?|verify|validate|ci)([^a-z]|$)/i;

export function soundsLikeCheck(path: string): boolean {
  return checking.test(path.slice(path.lastIndexOf("/") + 1));
}

export function isShellScript(path: string): boolean {
  return /\.(sh|bash)$/.test(path);
}

/** Whether `commands`, whatever they are written in, name the file. */
export function isNamedIn(commands: string, path: string): boolean {
  return commands.split(/[\s;&|()<>"'\\]+/).some((word) => word.replace(/^(\.\/)+/, "") === path);
}

/** Whether two texts of such a file (null: it is not there) define different tests. */
export function definesOtherTests(path: string, before: string | null, after: string | null): boolean {
  const part = parts.find(([pattern]) => pattern.test(path))?.[1];
  return part ? part(before ?? "") !== part(after ?? "") : before !== after;
}

/** Of a package.json: the scripts that `test` comes to, and the settings of runners. */
function scriptsPart(json: string): string {
  const content = asFields(parsed(json));
  const scripts = asFields(content.scripts);
  const wanted = ["pretest", "test", "posttest"];
  // A list that grows while it is walked: the scripts that a script calls.
  for (const name of wanted) {
    const script = typeof scripts[name] === "string" ? scripts[name] : "";
    for (const [, called = ""] of script.matchAll(/\b(?:npm|pnpm|yarn|bun)(?:\s+-\S+)*(?:\s+run(?:-script)?)?(?:\s+-\S+)*\s+([\w:.-]+)/g)) {
      for (const one of [`pre${called}`, called, `post${called}`]) {
        if (Object.hasOwn(scripts, one) && !wanted.includes(one)) wanted.push(one);
      }
    }
  }
  const runners = ["jest", "mocha", "ava", "vitest", "tap", "nyc", "c8", "jasmine"];
  const part = [...wanted.map((name) => [name, scripts[name]]), ...runners.map((name) => [name, content[name]])];
  return JSON.stringify(part.filter(([, value]) => value !== undefined));
}

/** Of a manifest in sections: those about tests. */
function sectionsPart(text: string): string {
  const kept: string[] = [];
  let about = false;
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[+\s*([^\]]+?)\s*\]/.exec(line)?.[1];
    if (header !== undefined) about = /test|tox|nox|coverage/i.test(header);
    if ((about || /^\s*autotests\s*=|^\s*harness\s*=/.test(line)) && line.trim() !== "" && !/^\s*#/.test(line)) kept.push(line.trim());
  }
  return kept.join("\n");
}

/** Of anything else: the lines about tests. */
function linesPart(text: string): string {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return lines.filter((line) => /tests?\b|surefire|failsafe|junit/i.test(line)).join("\n");
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

function asFields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
