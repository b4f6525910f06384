/** A search of our own, for where no command may run: plain, bounded in files, bytes and time. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join, matchesGlob, relative, sep } from "node:path";
import { createContext, Script } from "node:vm";
import { type Bounds, confine, Refusal } from "./confine.ts";
import { isBinary } from "./files.ts";

const maxFiles = 20_000;
const maxFileBytes = 1024 ** 2;
const totalMs = 10_000;
/** For one file: a pattern that backtracks for ever is cut off, and says so. */
const fileMs = 250;

const skipped = new Set([".git", "node_modules"]);
/** In a context of its own only because there a time limit ends it. */
const matcher = new Script("const re = new RegExp(pattern); lines.flatMap((line, i) => (re.test(line) ? [i] : [])).slice(0, max).join()");

export interface Search {
  bounds: Bounds;
  /** File or directory. */
  from: string;
  pattern: string;
  glob?: string | undefined;
  max: number;
  signal: AbortSignal;
}

/** Matching lines as `path:line:text`, in order of path. */
export async function search({ bounds, from, pattern, glob, max, signal }: Search): Promise<string[]> {
  try {
    new RegExp(pattern);
  } catch (error) {
    throw new Refusal(`The pattern is no regular expression: ${(error as Error).message}. Correct it.`);
  }
  const deadline = performance.now() + totalMs;
  const found: string[] = [];
  let looked = 0;
  for await (const path of filesBelow(from)) {
    if (found.length >= max || signal.aborted) break;
    if (++looked > maxFiles || performance.now() > deadline) throw new Refusal("Too many files to search. Give a path or a glob.");
    const name = relative(bounds.root, path).split(sep).join("/");
    if (glob && !matchesGlob(glob.includes("/") ? relative(from, path) : (path.split(sep).at(-1) ?? ""), glob)) continue;
    const lines = await linesOf(path);
    for (const i of matching(lines, name)) found.push(`${name}:${i + 1}:${lines[i]}`);
  }
  return found.slice(0, max);

  async function linesOf(path: string): Promise<string[]> {
    const open = await confine(bounds, path).catch(() => null);
    if (!open || (await stat(open.path)).size > maxFileBytes) return [];
    const bytes = await readFile(open.path);
    return isBinary(bytes) ? [] : bytes.toString("utf8").split("\n");
  }

  function matching(lines: string[], name: string): number[] {
    if (lines.length === 0) return [];
    try {
      const indexes: string = matcher.runInContext(createContext({ pattern, lines, max }), { timeout: fileMs });
      return indexes === "" ? [] : indexes.split(",").map(Number);
    } catch {
      throw new Refusal(`The pattern takes too long on "${name}". Make it simpler.`);
    }
  }
}

/** Regular files only: no link is followed. */
async function* filesBelow(path: string): AsyncGenerator<string> {
  if ((await stat(path)).isFile()) {
    yield path;
    return;
  }
  const entries = await readdir(path, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (skipped.has(entry.name)) continue;
    if (entry.isDirectory()) yield* filesBelow(join(path, entry.name));
    else if (entry.isFile()) yield join(path, entry.name);
  }
}
