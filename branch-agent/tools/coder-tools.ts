/** The VP Coder's hands: six tools on one worktree, one at a time. */
import { mkdirSync, realpathSync } from "node:fs";
import { UacError } from "#core/errors.ts";
import type { Tool, ToolCall, ToolResult } from "#ports/tool.ts";
import { bashTool } from "./bash.ts";
import { Refusal } from "./confine.ts";
import type { Bench, CoderContext } from "./context.ts";
import { editTool } from "./edit.ts";
import { trackedFiles } from "./files.ts";
import { globTool } from "./glob.ts";
import { grepTool } from "./grep.ts";
import { nestedNotes } from "./nested-notes.ts";
import { readTool } from "./read.ts";
import { writeTool } from "./write.ts";

/** The tools that `allowed` permits. Whatever they answer has passed `redact`. */
export function coderTools(context: CoderContext): Tool[] {
  const root = realpathSync(context.worktree.path);
  mkdirSync(context.logDir, { recursive: true, mode: 0o700 });
  const logDir = realpathSync(context.logDir);
  const bench: Bench = { ...context, logDir, files: trackedFiles(), bounds: { root, masked: context.scope.masked, logs: logDir } };
  const noted = nestedNotes(bench.bounds);
  const inTurn = oneAtATime();
  return [readTool(bench), editTool(bench), writeTool(bench), bashTool(bench), grepTool(bench), globTool(bench)]
    .map((tool) => noted(tool as Tool))
    .filter((tool) => tool.needs === null || context.allowed.includes(tool.needs))
    .map((tool) => ({ ...tool, run: (input, call) => inTurn(() => answer(tool, input, call, context.redact)) }));
}

async function answer(tool: Tool, input: unknown, call: ToolCall, redact: (text: string) => string): Promise<ToolResult> {
  try {
    const result = await tool.run(input, call);
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

/** So nothing in the sandbox runs while a path is being checked and used. */
function oneAtATime() {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => {});
    return mine;
  };
}
