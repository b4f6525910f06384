/** Tasks as they lie in a folder, checked before anything is run. The format: docs/eval.md. */
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";
import * as z from "zod";
import { publicMessage, UacError } from "#core/errors.ts";
import { longestInstruction } from "#core/limits.ts";

export interface TaskFile {
  content: Buffer;
  executable: boolean;
}
/** Path in the repository → what lies there. */
export type Files = ReadonlyMap<string, TaskFile>;

export interface EvalTask {
  name: string;
  instruction: string;
  language: string | null;
  /** What the coder is told and the harness runs. Null: what is detected, if anything. */
  test: string | null;
  /** What decides, run where the hidden tests lie. */
  judge: string;
  repository: Files;
  /** The known solution: null is a file that goes. Null instead of a map: nobody knows one. */
  oracle: ReadonlyMap<string, TaskFile | null> | null;
  hidden: Files;
  /** Files that must stay as they are, and directories of them. */
  untouched: readonly string[];
  /** Programs that must be there in the sandbox. */
  needs: readonly string[];
}

const inline = z.record(z.string(), z.string());
const command = z.string().min(1).max(10_000);

const taskSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.-]{1,64}$/)
    .optional(),
  instruction: z.string().trim().min(1).max(longestInstruction),
  language: z.string().max(40).optional(),
  test: command.optional(),
  judge: command.optional(),
  files: inline.optional(),
  oracle: z.record(z.string(), z.string().nullable()).optional(),
  tests: inline.optional(),
  untouched: z.array(z.string()).max(100).optional(),
  needs: z
    .array(z.string().regex(/^[\w.+-]{1,64}$/, "is no program's name"))
    .max(20)
    .optional(),
});

const fileName = "task.json";

/** `folder` is a task, or holds tasks. Rejects with `bad_input` that tells of all that is wrong with them. */
export async function loadTasks(folder: string): Promise<EvalTask[]> {
  const folders = existsSync(join(folder, fileName)) ? [folder] : await taskFolders(folder);
  if (folders.length === 0)
    throw new UacError("bad_input", `There is no ${fileName} in ${folder}, nor in a folder of it. See docs/eval.md.`);
  const problems: string[] = [];
  const tasks: EvalTask[] = [];
  for (const one of folders) {
    try {
      tasks.push(await loadTask(one));
    } catch (error) {
      problems.push(`${join(one, fileName)}: ${error instanceof UacError ? publicMessage(error) : String(error)}`);
    }
  }
  const twice = tasks.find(({ name }, i) => tasks.findIndex((other) => other.name === name) !== i);
  if (twice) problems.push(`two tasks are called ${twice.name}`);
  if (problems.length > 0) throw new UacError("bad_input", problems.join("\n"));
  return tasks;
}

async function taskFolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new UacError("bad_input", `There is no folder ${folder} of tasks.`, { cause });
  });
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
  return folders.filter((one) => existsSync(join(one, fileName))).sort();
}

async function loadTask(folder: string): Promise<EvalTask> {
  const read = taskSchema.safeParse(parsed(await readFile(join(folder, fileName), "utf8")));
  if (!read.success) throw new UacError("bad_input", z.prettifyError(read.error));
  const { name = basename(folder), instruction, language = null, test = null, untouched = [], needs = [], ...task } = read.data;
  const judge = task.judge ?? test;
  if (judge === null) throw new UacError("bad_input", "names neither `test` nor `judge`: nothing would decide");
  const repository = new Map([...(await filesIn(join(folder, "repo"))), ...inlined(task.files)]);
  if (repository.size === 0) throw new UacError("bad_input", "has no files: give `files`, or a folder repo/");
  const oracle = new Map<string, TaskFile | null>([...(await filesIn(join(folder, "oracle"))), ...inlined(task.oracle)]);
  for (const [path, file] of oracle) {
    if (file && !isText(file.content)) throw new UacError("bad_input", `oracle: ${path} is not UTF-8, and no tool writes that`);
    if (file === null && !repository.has(path)) throw new UacError("bad_input", `oracle: ${path} goes, but is not there`);
  }
  const hidden: Files = new Map([...(await filesIn(join(folder, "tests"))), ...inlined(task.tests)]);
  const outside = [...repository.keys(), ...oracle.keys(), ...hidden.keys(), ...untouched].find((path) => !isInside(path));
  if (outside !== undefined) throw new UacError("bad_input", `${JSON.stringify(outside)} is no path inside a repository`);
  const solved = [...new Set([...repository.keys(), ...oracle.keys()])].filter((path) => oracle.get(path) !== null);
  for (const [where, paths] of [
    ["files", [...repository.keys()]] as const,
    ["oracle", solved] as const,
    ["tests", [...hidden.keys()]] as const,
  ]) {
    const both = fileAndFolder(paths);
    if (both !== undefined) throw new UacError("bad_input", `${where}: ${both} is a file and a folder`);
  }
  const idle = untouched.find((path) => ![...repository.keys()].some((one) => one === path || one.startsWith(`${path}/`)));
  if (idle !== undefined) throw new UacError("bad_input", `untouched: ${idle} is not there, so nothing would be looked at`);
  return { name, instruction, language, test, judge, repository, oracle: oracle.size > 0 ? oracle : null, hidden, untouched, needs };
}

/** Null stays null: a file that goes. */
function inlined<T extends string | null>(files: Readonly<Record<string, T>> = {}): [string, TaskFile | Extract<T, null>][] {
  return Object.entries(files).map(([path, text]) => [path, (text === null ? null : ofText(text)) as TaskFile | Extract<T, null>]);
}

function ofText(text: string): TaskFile {
  return { content: Buffer.from(text, "utf8"), executable: text.startsWith("#!") };
}

async function filesIn(folder: string): Promise<[string, TaskFile][]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const odd = entries.find((entry) => !entry.isFile() && !entry.isDirectory());
  if (odd) throw new UacError("bad_input", `${join(odd.parentPath, odd.name)} is neither a file nor a folder`);
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    paths.sort().map(async (path): Promise<[string, TaskFile]> => {
      const [content, { mode }] = await Promise.all([readFile(path), stat(path)]);
      return [relative(folder, path).split(sep).join("/"), { content, executable: (mode & 0o100) !== 0 }];
    }),
  );
}

function isInside(path: string): boolean {
  const parts = path.split("/");
  return !parts.some((part) => part === "" || part === "." || part === ".." || part.toLowerCase() === ".git" || part.includes("\0"));
}

/** The first path that others lie in. */
function fileAndFolder(paths: readonly string[]): string | undefined {
  const folders = new Set(paths.flatMap((path) => path.split("/").map((_, i, parts) => parts.slice(0, i).join("/"))));
  return paths.find((path) => folders.has(path));
}

function isText(bytes: Buffer): boolean {
  return bytes.equals(Buffer.from(bytes.toString("utf8"), "utf8"));
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new UacError("bad_input", `is not JSON: ${error instanceof Error ? error.message : error}`);
  }
}
