import { glob } from "node:fs/promises";
import { join, matchesGlob } from "node:path";
import * as z from "zod";
import { hasCode } from "#core/errors.ts";
import type { Tool } from "#ports/tool.ts";
import { confine, inside, Refusal } from "./confine.ts";
import type { Bench } from "./context.ts";
import { quoted } from "./grep.ts";

const maxShown = 200;
/** Looked at before the first 200 in order of name are taken, so that the same tree always gives the same answer. */
const maxFound = 5000;
const timeLimitMs = 5000;
/** Bytes of git's list: some 100,000 names. */
const maxList = 8 * 1024 ** 2;

const input = z.strictObject({
  pattern: z.string().min(1).max(1000).describe("e.g. src/**/*.ts"),
  path: z.string().max(4096).optional().describe("directory to look in"),
});

interface Found {
  /** Relative to the directory that was looked in; a directory ends with a slash. */
  names: string[];
  /** There may be more. */
  cut: boolean;
}

export function globTool(bench: Bench): Tool<z.infer<typeof input>> {
  const bounds = { ...bench.bounds, logs: undefined };
  return {
    name: "glob",
    description: `List files by pattern (not ignored files). Up to ${maxShown}.`,
    input,
    needs: "read",
    repeatable: true,
    async run({ pattern, path = "." }, { signal }) {
      if (pattern.startsWith("/") || pattern.split("/").includes("..")) {
        throw new Refusal(`The pattern "${pattern}" leads out of the worktree. Give one relative to its root.`);
      }
      const from = await confine(bounds, path);
      if (!from.exists) throw new Refusal(`There is no directory "${from.shown}". Use glob with "*" to see what is there.`);
      const wanted = { pattern, from: from.path, signal };
      const { names, cut } = (await listedByGit(bench, wanted)) ?? (await walked(wanted));
      const shown = (await Promise.all(names.sort().slice(0, maxShown).map(visible))).filter((file) => file !== null);
      if (shown.length === 0) return { content: `No file matches "${pattern}"${cut ? " so far: too many to look through" : ""}.` };
      const more = names.length > maxShown || cut ? `\n… ${cut ? "many" : names.length - maxShown} more: narrow the pattern` : "";
      return { content: shown.join("\n") + more };

      /** A link may lead out of the worktree, or the name may be closed or gone: then it is not listed. */
      async function visible(name: string): Promise<string | null> {
        const file = await confine(bounds, join(from.path, name)).catch(() => null);
        const isThere = file?.exists && file.path !== bounds.root && inside(file.path, bounds.root);
        return isThere ? file.shown + (name.endsWith("/") ? "/" : "") : null;
      }
    },
  };
}

interface Wanted {
  pattern: string;
  from: string;
  signal: AbortSignal;
}

/** Null where no command may run, or git knows nothing of the directory: then it is walked through. */
async function listedByGit({ allowed, sandbox, scope, jobs }: Bench, { pattern, from, signal }: Wanted): Promise<Found | null> {
  if (!allowed.includes("exec")) return null;
  try {
    // Gone to inside, where a path leads nowhere else.
    const command = `cd -- ${quoted(from)} && git ls-files -z --cached --others --exclude-standard --deduplicate`;
    const run = await sandbox.run(scope, { command, cwd: scope.worktree, timeoutMs: timeLimitMs, env: {}, maxOutput: maxList, signal });
    if (run.exitCode !== 0 && !run.timedOut) {
      if (jobs.isAnyRunning()) throw new Refusal(`The list failed: ${run.output.trim().slice(0, 300)}. Look again.`);
      return null;
    }
    const files = run.output.split("\0").filter((name) => name !== "" && !name.split("/").some((part) => skipped.has(part)));
    const matching = files.filter((name) => matchesGlob(name, pattern));
    const names = pattern.includes("**") ? matching : [...matching, ...directoriesOf(files).filter((name) => matchesGlob(name, pattern))];
    return { names, cut: run.truncated || run.timedOut };
  } catch (error) {
    // A walk of our own follows paths, which nobody may move meanwhile.
    if (hasCode(error, "sandbox_unavailable") && !jobs.isAnyRunning()) return null;
    throw error;
  }
}

/** Every directory above a file, with a slash at its end: a listing of one level shows what can be looked into next. */
function directoriesOf(files: readonly string[]): string[] {
  const directories = new Set<string>();
  for (const file of files) {
    for (let at = file.lastIndexOf("/"); at > 0; at = file.lastIndexOf("/", at - 1)) {
      const directory = file.slice(0, at + 1);
      if (directories.has(directory)) break;
      directories.add(directory);
    }
  }
  return [...directories];
}

async function walked({ pattern, from, signal }: Wanted): Promise<Found> {
  const deadline = performance.now() + timeLimitMs;
  const names: string[] = [];
  for await (const entry of glob(pattern, { cwd: from, withFileTypes: true, exclude: ({ name }) => skipped.has(name) })) {
    if (names.length >= maxFound || performance.now() > deadline || signal.aborted) return { names, cut: true };
    const name = join(entry.parentPath, entry.name).slice(from.length + 1);
    if (!entry.isDirectory()) names.push(name);
    else if (!pattern.includes("**")) names.push(`${name}/`);
  }
  return { names, cut: false };
}

const skipped = new Set([".git", "node_modules"]);
