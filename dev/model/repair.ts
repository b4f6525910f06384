/** Look, run the tests, read what the failure points to, try small changes, keep what helps, put back what doesn't. */
import type { Conversation, Step } from "./conversation.ts";
import { hunk, readListing, readNumbered } from "./files.ts";
import { type Candidate, candidatesFor } from "./mutations.ts";
import { importsOf, lineAt, resolveImport } from "./source.ts";
import { type SourceFile, suspectsOf } from "./suspects.ts";
import { type Failure, readTestReport, type TestReport } from "./test-output.ts";

export interface Call {
  name: string;
  input: Record<string, unknown>;
  /** Said along with it. */
  text?: string;
}

export type Plan<Result = never> = Generator<Call, Result, Step>;

interface End {
  status: "done" | "failed";
  summary: string;
}

/** Changes tried in all; each costs two steps. */
const maxTries = 40;
const maxSources = 8;

/** Ends with what it saw. */
export function* repair(talk: Conversation): Plan<End> {
  const files = yield* list(talk);
  const command = yield* findTestCommand(talk);
  if (!command) return failed("I found no command that runs the tests: none was named, and package.json has no `test` script.");

  const first = yield* look({ name: "bash", input: { command }, text: `I run the tests: ${command}` });
  let report = readTestReport(first.result);
  if (!report)
    return failed(`I ran \`${command}\`, but its output is not that of Node's test runner. It began: ${first.result.slice(0, 300)}`);
  if (report.fail === 0) return { status: "done", summary: `I ran \`${command}\`: all ${report.pass} tests pass. I changed nothing.` };

  const before = report;
  const repaired: string[] = [];
  let tries = 0;
  for (const round of [1, 2, 3]) {
    const failure = report.failures[0];
    if (!failure) break;
    const step: Attempt = yield* mend({ command, files, failure, report, triesLeft: maxTries - tries });
    tries += step.tries;
    if (!step.fixed) break;
    repaired.push(step.fixed.what);
    report = step.fixed.report;
    if (report.fail === 0 || round === 3) break;
  }
  return conclude(command, before, report, repaired, tries);
}

function conclude(command: string, before: TestReport, after: TestReport, repaired: string[], tries: number): End {
  const fault = before.failures[0] ? describe(before.failures[0]) : `${before.fail} tests failed.`;
  const tried = `${tries} small ${tries === 1 ? "change" : "changes"}`;
  if (repaired.length === 0) return failed(`${fault} I tried ${tried} and none made it pass; I put everything back.`);
  const done = `${fault} ${repaired.join(" ")}`;
  const passing = `${after.pass} of ${after.pass + after.fail} tests pass (\`${command}\`)`;
  if (after.fail > 0) return failed(`${done} Now ${passing}; the others I could not repair.`);
  return { status: "done", summary: `${done} Now ${passing}; it took ${tried}.` };
}

interface Attempt {
  tries: number;
  fixed: { what: string; report: TestReport } | null;
}

interface Bench {
  command: string;
  files: string[];
  failure: Failure;
  report: TestReport;
  triesLeft: number;
}

/** One round: the changes that the first failure suggests, one after the other. */
function* mend({ command, files, failure, report, triesLeft }: Bench): Plan<Attempt> {
  const path = localPath(failure.at.file, files);
  const test = yield* readFile(path, describe(failure));
  if (!test) return { tries: 0, fixed: null };
  const sources = yield* readSources(test, files);
  const candidates = candidatesFor(failure, suspectsOf(failure, test, sources), triesLeft);
  const current = new Map(sources.map((file) => [file.path, file.text]));

  let tries = 0;
  let open: SourceFile | null = null;
  for (const candidate of candidates) {
    const { file } = candidate;
    if (open && open.path !== file.path) yield* write(open.path, current, open.text, "That did not help; I put it back.");
    const changed = file.text.slice(0, candidate.start) + candidate.replacement + file.text.slice(candidate.end);
    open = file;
    if (!(yield* write(file.path, current, changed, `Would this help? ${show(candidate)}`))) continue;
    tries++;
    const run = yield* look({ name: "bash", input: { command } });
    const now = readTestReport(run.result);
    // Fewer failures alone could be a file that no longer loads, its tests gone.
    if (now && now.fail < report.fail && now.pass > report.pass) return { tries, fixed: { what: `${show(candidate)}.`, report: now } };
  }
  if (open) yield* write(open.path, current, open.text, "None of these helped; I put the last one back.");
  return { tries, fixed: null };
}

/** Brings a file to `wanted`; false if the tool would not. After an error it looks before it goes on. */
function* write(path: string, current: Map<string, string>, wanted: string, text: string): Plan<boolean> {
  for (const _ of [1, 2]) {
    const edit = hunk(current.get(path) ?? "", wanted);
    if (!edit) return true;
    const step = yield { name: "edit", input: { path, edits: [edit] }, text };
    if (!step.isError) {
      current.set(path, wanted);
      return true;
    }
    const seen = yield* readFile(path);
    if (seen) current.set(path, seen.text);
  }
  return current.get(path) === wanted;
}

/** A call that changes nothing: one that was cut off is simply made again, once. */
function* look(call: Call): Plan<Step> {
  const step = yield call;
  return step.isError && /restarted|interrupted/i.test(step.result) ? yield call : step;
}

function* list(talk: Conversation): Plan<string[]> {
  const call: Call = talk.tools.has("glob")
    ? { name: "glob", input: { pattern: "**/*" }, text: "I look at what is here." }
    : { name: "bash", input: { command: "git ls-files" }, text: "I look at what is here." };
  const step = yield* look(call);
  return readListing(step.result);
}

/** As the instruction or the system prompt names it, else the `test` script of package.json. */
function* findTestCommand(talk: Conversation): Plan<string | null> {
  for (const text of [talk.asked, talk.system]) {
    const named = text.match(/\btests?\b[^.\n`:]{0,30}(?:run with|command(?: is)?|with)\s*:?\s*`?([^`\n]+?)`?(?:\.\s|\.?$|`|\n)/im)?.[1];
    if (named && /^(npm|npx|node|yarn|pnpm|make|bun)\b/.test(named)) return named.trim();
  }
  const manifest = yield* readFile("package.json", "I look for the command that runs the tests.");
  return manifest && /"test"\s*:\s*"[^"]+"/.test(manifest.text) ? "npm test" : null;
}

function* readFile(path: string, text?: string): Plan<SourceFile | null> {
  const step = yield* look({ name: "read", input: { path }, ...(text && { text }) });
  return step.isError ? null : { path, text: readNumbered(step.result) };
}

/** What the test imports, and what that imports, nearest first. */
function* readSources(test: SourceFile, files: string[]): Plan<SourceFile[]> {
  const sources: SourceFile[] = [];
  const queue = [test];
  const seen = new Set([test.path]);
  for (let from = queue.shift(); from && sources.length < maxSources; from = queue.shift()) {
    for (const specifier of importsOf(from.text)) {
      const path = withExtension(resolveImport(from.path, specifier), files);
      if (seen.has(path) || sources.length >= maxSources || /\.json$/.test(path)) continue;
      seen.add(path);
      const file = yield* readFile(path);
      if (!file) continue;
      sources.push(file);
      queue.push(file);
    }
  }
  return sources;
}

function withExtension(path: string, files: readonly string[]): string {
  const tries = ["", ".js", ".mjs", ".cjs", ".ts", "/index.js", "/index.ts"].map((end) => path + end);
  return tries.find((name) => files.includes(name)) ?? path;
}

/** A path of the worktree, for one that the test runner printed in full. */
function localPath(path: string, files: readonly string[]): string {
  return files.filter((file) => path === file || path.endsWith(`/${file}`)).sort((a, b) => b.length - a.length)[0] ?? path;
}

function describe({ name, at, actual, expected, message }: Failure): string {
  const file = at.file.split("/").slice(-2).join("/");
  const words = message.replace(/^\w*Error( \[\w+\])?: |^error: /, "").replace(/[:.'"|-]+$/, "");
  const why = actual !== null && expected !== null ? `expected ${expected}, got ${actual}` : words || "it gave no reason";
  return `The test "${name}" (${file}:${at.line}) failed: ${why}.`;
}

function show({ file, start, end, replacement }: Candidate): string {
  const line = lineAt(file.text, start);
  const from = file.text.lastIndexOf("\n", start - 1) + 1;
  const to = file.text.indexOf("\n", end);
  const rest = file.text.slice(end, to < 0 ? undefined : to);
  const old = file.text.slice(from, end) + rest;
  return `${file.path}:${line}: \`${old.trim()}\` becomes \`${(file.text.slice(from, start) + replacement + rest).trim()}\``;
}

function failed(summary: string): End {
  return { status: "failed", summary };
}
