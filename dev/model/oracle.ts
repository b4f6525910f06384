/**
 * The stand-in as one who knows the answer: it makes a solution's files through the real tools, runs the tests and finishes. What it
 * does follows from the number of its steps alone, so it goes on after any crash.
 */
import { readConversation } from "./conversation.ts";
import { asOffered, hunk } from "./files.ts";
import type { Call } from "./repair.ts";
import type { Says, WireRequest } from "./wire.ts";

/** A file of the solution that differs from the repository's. */
export interface SolvedFile {
  path: string;
  /** Null: it is not there before, or not any more. */
  before: string | null;
  after: string | null;
  /** To be made so. */
  executable: boolean;
}

export interface Solution {
  files: readonly SolvedFile[];
  /** What tests it; null: nothing does. */
  test: string | null;
}

/** An edit names no more than this of a file, characters; a larger change is written as a whole. */
const largestEdit = 100_000;
/** A longer file is read where it is to be changed, lines. */
const readWhole = 1500;
const readAround = 100;

/** What a model says that has `solution` in its head; without one it finishes at once, with nothing done. */
export function playing(solution: Solution | null): (request: WireRequest) => Says | null {
  const calls = solution ? callsFor(solution) : [];
  const summary = solution ? "I made the known solution's files." : "I did nothing.";
  const finish: Call = { name: "finish", input: { status: "done", summary } };
  return (request) => {
    if (!request.tools?.some(({ name }) => name === "finish")) return null;
    const { steps, tools } = readConversation(request, "first");
    return { call: asOffered(tools, calls[steps.length] ?? finish) };
  };
}

function callsFor({ files, test }: Solution): Call[] {
  const made = files.flatMap((file) => [...callsForFile(file), ...(file.executable ? [bash(`chmod +x -- ${quoted(file.path)}`)] : [])]);
  return test === null ? made : [...made, bash(test)];
}

function callsForFile({ path, before, after }: SolvedFile): Call[] {
  if (after === null) return [bash(`rm -- ${quoted(path)}`)];
  const write: Call = { name: "write", input: { path, content: after } };
  if (before === null) return [write];
  // As a tool shows a file, so a model writes of it: without its byte order mark and its carriage returns.
  const [shown, wanted] = [asShown(before), asShown(after)];
  const edit = hunk(shown, wanted);
  if (edit === null) return before === after ? [] : [read(path, 1, shown), write];
  const line = shown.slice(0, shown.indexOf(edit.old)).split("\n").length;
  const small = edit.old !== "" && edit.old.length + edit.new.length <= largestEdit;
  return [read(path, line, shown), small ? { name: "edit", input: { path, edits: [edit] } } : write];
}

function read(path: string, line: number, text: string): Call {
  const isLong = text.split("\n").length > readWhole;
  return { name: "read", input: isLong ? { path, offset: Math.max(1, line - readAround), limit: 2 * readAround } : { path } };
}

function asShown(text: string): string {
  return text.replace(/^\u{feff}/u, "").replaceAll("\r\n", "\n");
}

function bash(command: string): Call {
  return { name: "bash", input: { command } };
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}
