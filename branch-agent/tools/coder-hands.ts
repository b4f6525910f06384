/** The VP Coder's hands: tools on one worktree, one at a time. */
import { mkdirSync, realpathSync } from "node:fs";
import { UacError } from "#core/errors.ts";
import type { Hands } from "#factory/branch.ts";
import type { Tool, ToolCall, ToolResult } from "#ports/tool.ts";
import { applyPatchTool } from "./apply-patch.ts";
import { bashTool } from "./bash.ts";
import { type Bounds, Refusal } from "./confine.ts";
import type { Bench, CoderContext } from "./context.ts";
import { editTool } from "./edit.ts";
import { trackedFiles } from "./files.ts";
import { globTool } from "./glob.ts";
import { grepTool } from "./grep.ts";
import { secretsOf } from "./held.ts";
import { jobTool } from "./job.ts";
import { backgroundJobs } from "./jobs.ts";
import { nestedNotes } from "./nested-notes.ts";
import { readTool } from "./read.ts";
import { writeTool } from "./write.ts";

/** The tools of `names` that `allowed` permits. Whatever they answer has passed `redact`. */
export function coderHands(context: CoderContext): Hands {
  const root = realpathSync(context.worktree.path);
  mkdirSync(context.logDir, { recursive: true, mode: 0o700 });
  const logDir = realpathSync(context.logDir);
  const { masked } = context.scope;
  const bounds: Bounds = { root, masked, opened: () => context.scope.opened ?? [], secrets: secretsOf(masked), logs: logDir };
  const jobs = backgroundJobs({ ...context, logDir });
  const bench: Bench = { ...context, logDir, files: trackedFiles(bounds), bounds, jobs };
  const noted = nestedNotes(bounds);
  const inTurn = oneAtATime();
  const all = [readTool, editTool, applyPatchTool, writeTool, bashTool, jobTool, grepTool, globTool].map((make) =>
    noted(make(bench) as Tool),
  );
  const tools = all
    .filter(({ name, needs }) => context.names.includes(name) && (needs === null || context.allowed.includes(needs)))
    .map((tool): Tool => {
      const guarded = (act: Tool["run"]) => (input: unknown, call: ToolCall) => inTurn(() => answer(act, input, call, context.redact));
      return { ...tool, run: guarded(tool.run), ...(tool.afterRestart && { afterRestart: guarded(tool.afterRestart) }) };
    });
  return { tools, news: jobs.lost, close: jobs.close };
}

async function answer(act: Tool["run"], input: unknown, call: ToolCall, redact: (text: string) => string): Promise<ToolResult> {
  try {
    const result = await act(input, call);
    return { ...result, content: redact(result.content) };
  } catch (error) {
    const message = told(error);
    if (message === null) throw error;
    return { content: redact(message), isError: true };
  }
}

/** What a model may read of a failure that it can do something about; null for any other. */
function told(error: unknown): string | null {
  if (error instanceof Refusal || error instanceof UacError) return error.message;
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") return "Permission denied. Leave that file.";
  if (code === "ENOTDIR" || code === "EEXIST") return "A file stands where a directory of the path should be. Correct the path.";
  if (code === "EISDIR") return "That is a directory. Name a file in it.";
  if (code === "ELOOP") return "The path is a loop of links. Name the file itself.";
  if (code === "ENAMETOOLONG") return "The path is too long.";
  if (code === "ENOENT") return "It is gone: something removed it meanwhile. Use glob to see what is there.";
  return null;
}

/** So that no two of them change one file at a time, whoever calls. */
function oneAtATime() {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => {});
    return mine;
  };
}
