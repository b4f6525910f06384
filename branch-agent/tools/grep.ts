import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import * as z from "zod";
import { hasCode } from "#core/errors.ts";
import type { Tool } from "#ports/tool.ts";
import { confine, Refusal } from "./confine.ts";
import type { Bench } from "./context.ts";
import { search } from "./search.ts";

const maxShown = 100;
const maxLine = 300;
const timeoutMs = 20_000;
const maxOutput = 256 * 1024;

const input = z.strictObject({
  pattern: z.string().min(1).max(1000).describe("regular expression"),
  path: z.string().max(4096).optional().describe("file or directory"),
  glob: z.string().max(1000).optional().describe("e.g. *.ts"),
});

export function grepTool(bench: Bench): Tool<z.infer<typeof input>> {
  const bounds = { ...bench.bounds, logs: undefined };
  return {
    name: "grep",
    description: `Search file contents (not ignored files). Up to ${maxShown} lines as path:line:text.`,
    input,
    needs: "read",
    repeatable: true,
    async run({ pattern, path = ".", glob }, { signal }) {
      if (glob?.startsWith("/") || glob?.split("/").includes("..")) {
        throw new Refusal(`The glob "${glob}" leads out of the worktree. Give one like *.ts or src/**.`);
      }
      const file = await confine(bounds, path);
      if (!file.exists) throw new Refusal(`There is no "${file.shown}" to search in. Use glob to find it.`);
      const wanted = { pattern, glob, from: file.path, signal };
      const lines = (await gitGrep(bench, wanted)) ?? (await search({ ...wanted, bounds, max: maxShown + 1 }));
      if (lines.length === 0) return { content: `No match for ${pattern}.` };
      const shown = lines.slice(0, maxShown).map((line) => (line.length > maxLine ? `${line.slice(0, maxLine)}…` : line));
      const more = lines.length > maxShown ? `\n… more than ${maxShown} matches: narrow pattern, path or glob` : "";
      return { content: shown.join("\n") + more };
    },
  };
}

interface Wanted {
  pattern: string;
  glob: string | undefined;
  from: string;
  signal: AbortSignal;
}

/** Null where no command may run: then the search is our own, slower. */
async function gitGrep({ allowed, sandbox, scope, jobs }: Bench, { pattern, glob, from, signal }: Wanted): Promise<string[] | null> {
  if (!allowed.includes("exec")) return null;
  const isFile = (await stat(from)).isFile();
  const cwd = isFile ? dirname(from) : from;
  const below = glob ? `:(glob)${glob.includes("/") ? glob : `**/${glob}`}` : ".";
  const paths = [isFile ? `:(literal)${basename(from)}` : below, ":(exclude,glob)**/node_modules/**"];
  const words = ["-n", "-I", "--untracked", "--full-name", "--no-color", "-e", pattern, "--", ...paths].map(quoted).join(" ");
  const run = (kind: "-P" | "-E") =>
    // Gone to inside, where a path leads nowhere else.
    sandbox.run(scope, {
      ...{ command: `cd -- ${quoted(cwd)} && git grep ${kind} ${words}`, cwd: scope.worktree },
      ...{ timeoutMs, env: {}, maxOutput, signal },
    });
  try {
    let result = await run("-P");
    if (result.exitCode === 128 && result.output.includes("Perl-compatible")) result = await run("-E");
    if (result.exitCode === null) throw new Refusal("The search took too long. Narrow the pattern, the path or the glob.");
    if (result.exitCode > 1 || result.output.startsWith("/bin/bash: "))
      throw new Refusal(`The search failed: ${result.output.trim().slice(0, 300)}. Correct the pattern.`);
    return result.output.split("\n").filter((line) => line !== "");
  } catch (error) {
    // A search of our own follows paths, which nobody may move meanwhile.
    if (hasCode(error, "sandbox_unavailable") && !jobs.isAnyRunning()) return null;
    throw error;
  }
}

/** As one word for bash. */
export const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
