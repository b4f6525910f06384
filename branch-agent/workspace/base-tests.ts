/** What became of a worktree's tests since its base, and the tests as they were at the base, over the work. By git on the host, never by a model's word. */
import { readFile, realpath, rm, writeFile } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { concernsTests, type FileChange } from "#core/evidence.ts";
import { isNamedIn, isShellScript, isTestConfig, soundsLikeCheck } from "#core/test-files.ts";
import { type GitCall, git, neutralised } from "./git.ts";
import type { Place } from "./repository.ts";

/** Bytes of a diff that are looked at, and of one file that says what the tests are. */
const diffMax = 4 * 1024 ** 2;
const textMax = 512 * 1024;
/** Files whose lines are looked at. */
const filesMax = 1000;

/** What `make test`, `npm test` and the like go by, in the root. */
const commandFiles = ["package.json", "Makefile", "makefile", "GNUmakefile", "justfile"];

const plain = ["diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color"];
const hows = { A: "added", M: "edited", T: "edited", D: "deleted", R: "moved" } as const;

/** By the worktree's index, which the host's commit has filled. `test` is the command. */
export async function testChanges(place: Place, base: string, test: string | null): Promise<FileChange[]> {
  const call: GitCall & Place = { ...place, config: await neutralised(place.gitDir) };
  const [tree, ignored] = await Promise.all([git(["write-tree"], call).then(({ out }) => out.trim()), ignoredConfig(call)]);
  const changed = parseRaw((await git([...plain, "--raw", "-z", base, tree], call)).out);
  const text = (commit: string, path: string) => textAt(call, commit, path);
  const run = await scriptsRun(test, changed.flatMap(pathsOf), (path) => text(base, path));
  const found = changed.filter((file) => pathsOf(file).some((path) => concernsTests(path) || run.has(path))).slice(0, filesMax);
  if (found.length === 0) return ignored;
  const sections = await sectionsOf(call, [base, tree], found);
  const changes: FileChange[] = [];
  for (const [i, { status, ...file }] of found.entries()) {
    const config = pathsOf(file).some(isTestConfig);
    changes.push({
      ...file,
      how: hows[status],
      ...(pathsOf(file).some((path) => run.has(path)) && { run: true }),
      ...linesOf(sections[i] ?? ""),
      before: config && status !== "A" ? await text(base, file.from ?? file.path) : null,
      after: config && status !== "D" ? await text(tree, file.path) : null,
    });
  }
  return [...changes, ...ignored];
}

/** Of `paths` the scripts that the command which tests runs: it names them, or what it goes by does and they sound like it. */
async function scriptsRun(test: string | null, paths: readonly string[], textAtBase: (path: string) => Promise<string | null>) {
  if (test === null) return new Set<string>();
  const others = paths.filter((path) => !concernsTests(path));
  const suspects = others.filter(soundsLikeCheck);
  const named = others.filter((path) => (soundsLikeCheck(path) || isShellScript(path)) && isNamedIn(test, path));
  if (suspects.length === 0) return new Set(named);
  const texts = (await Promise.all(commandFiles.map(textAtBase))).join("\n");
  return new Set([...named, ...suspects.filter((path) => isNamedIn(texts, path))]);
}

/** Null where there is none, or it is too long. */
async function textAt(call: GitCall, commit: string, path: string): Promise<string | null> {
  const size = Number((await git(["cat-file", "-s", `${commit}:${path}`], { ...call, accept: [128] })).out);
  return size > 0 && size <= textMax ? (await git(["cat-file", "blob", `${commit}:${path}`], call)).out : null;
}

/** What says which tests run, and is no part of the result, since git ignores it: the base has it not. */
async function ignoredConfig(call: GitCall): Promise<FileChange[]> {
  // Of a directory that is ignored as a whole the name alone comes, so what was installed is not gone through.
  const { out } = await git(["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"], call);
  const paths = out
    .split("\0")
    .filter((path) => isTestConfig(path))
    .slice(0, filesMax);
  return paths.map((path) => ({ path, how: "added", added: [], removed: [], before: null, after: "" }));
}

interface Raw {
  status: keyof typeof hows;
  path: string;
  from?: string;
}

const pathsOf = ({ path, from = path }: Pick<Raw, "path" | "from">) => [path, from];

function parseRaw(out: string): Raw[] {
  const words = out.split("\0");
  const found: Raw[] = [];
  while (words.length > 1) {
    const status = (words.shift() ?? "").split(" ").at(-1)?.[0] as Raw["status"];
    const first = words.shift() ?? "";
    found.push(status === "R" ? { status, from: first, path: words.shift() ?? "" } : { status, path: first });
  }
  return found;
}

/** The diff of each file, in the order of `files`. Where its kind changed there is none. */
async function sectionsOf(call: GitCall, [base, tree]: readonly [string, string], files: readonly Raw[]): Promise<string[]> {
  const kept: Buffer[] = [];
  let size = 0;
  const onOutput = (chunk: Buffer) => {
    size += chunk.length;
    if (size <= diffMax) kept.push(chunk);
  };
  const ofLines = files.filter(({ status }) => status !== "T");
  const paths = ofLines.flatMap(({ path, from }) => (from === undefined ? [path] : [from, path]));
  if (paths.length > 0) await git([...plain, "-p", "-U0", base, tree, "--", ...paths], { ...call, onOutput });
  // No line within a hunk begins so: each has its sign before it.
  const sections = Buffer.concat(kept)
    .toString("utf8")
    .split(/^(?=diff --git )/m);
  const byFile = new Map(ofLines.map((file, i) => [file, sections[i] ?? ""]));
  return files.map((file) => byFile.get(file) ?? "");
}

function linesOf(section: string): Pick<FileChange, "added" | "removed"> {
  const start = section.search(/^@@ /m);
  const lines = start < 0 ? [] : section.slice(start).split("\n");
  const signed = (sign: "+" | "-") => lines.filter((line) => line.startsWith(sign)).map((line) => line.slice(1));
  return { added: signed("+"), removed: signed("-") };
}

const markerOf = (place: Place) => join(place.gitDir, "uac-at-base");

/** Awaits `run` while `paths` are as the base has them. They are noted first, so that `putBack` finds them after a kill. */
export async function asAtBase<T>(place: Place, base: string, paths: readonly string[], run: () => Promise<T>): Promise<T> {
  const call: GitCall & Place = { ...place, config: await neutralised(place.gitDir) };
  const index = join(place.gitDir, "uac-base-index");
  const env = { GIT_INDEX_FILE: index };
  await Promise.all([rm(index, { force: true }), rm(`${index}.lock`, { force: true })]);
  await git(["read-tree", base], { ...call, env });
  await writeFile(markerOf(place), JSON.stringify(paths), { flush: true });
  try {
    await makeAsIn({ ...call, env }, paths);
    return await run();
  } finally {
    await putBack(place);
    await rm(index, { force: true });
  }
}

/** Puts back what `asAtBase` changed, if it did not come to that. */
export async function putBack(place: Place): Promise<void> {
  const noted = await readFile(markerOf(place), "utf8").catch(() => null);
  if (noted === null) return;
  await makeAsIn({ ...place, config: await neutralised(place.gitDir) }, JSON.parse(noted) as string[]);
  await rm(markerOf(place), { force: true });
}

/** Makes the files at `paths` as the call's index has them: those that it lacks go, for good if no index has them. */
async function makeAsIn(call: GitCall & Place, paths: readonly string[]): Promise<void> {
  const root = await realpath(call.workTree);
  const known = new Set((await git(["ls-files", "-z", "--", ...paths], call)).out.split("\0"));
  for (const path of paths.filter((one) => !known.has(one))) {
    const at = join(root, path);
    // A model may have put a link where a directory was: nothing beyond it is touched.
    const folder = await realpath(dirname(at)).catch(() => null);
    if (folder !== null && (folder === root || folder.startsWith(root + sep))) await rm(at, { force: true, recursive: true });
  }
  const input = paths
    .filter((one) => known.has(one))
    .map((path) => `${path}\0`)
    .join("");
  if (input !== "") await git(["checkout-index", "-f", "-z", "--stdin"], { ...call, input });
}
