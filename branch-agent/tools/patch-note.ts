/** What a patch was about to do, noted before its first file changes: who was killed in the middle can tell afterwards how far it came. */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { ToolResult } from "#ports/tool.ts";

/** One file, by the sha256 of its bytes; null: it is not there. */
const change = z.strictObject({ path: z.string(), before: z.string().nullable(), after: z.string().nullable() });
type Change = z.infer<typeof change>;

export const digestOf = (bytes: Buffer | null) => bytes && createHash("sha256").update(bytes).digest("hex");

const noteOf = (logDir: string, key: string) => join(logDir, `${key.replace(/[^A-Za-z0-9_-]/g, "_").slice(-100)}.patch.json`);

/** On disk when it resolves: no note says that no file was changed. */
export async function writeNote(logDir: string, key: string, changes: readonly Change[]): Promise<void> {
  await writeFile(noteOf(logDir, key), JSON.stringify(changes), { mode: 0o600, flush: true });
}

/**
 * What became of a patch that was cut off.
 * @param digestNow of the file at a path as it is now; null where there is none
 */
export async function tellOfNote(logDir: string, key: string, digestNow: (path: string) => Promise<string | null>): Promise<ToolResult> {
  const note = await readFile(noteOf(logDir, key), "utf8").catch(() => null);
  if (note === null) return { content: `${restarted} No file was changed by it: make it again.`, isError: true };
  const done: string[] = [];
  const left: string[] = [];
  const other: string[] = [];
  for (const { path, before, after } of z.array(change).parse(JSON.parse(note))) {
    const now = await digestNow(path);
    const what = `${before === null ? "add" : after === null ? "delete" : "update"} "${path}"`;
    (now === after ? done : now === before ? left : other).push(what);
  }
  if (left.length + other.length === 0) return { content: `${restarted} All of it was done: ${done.join(", ")}.` };
  const lists = [
    ["Done", done],
    ["Not done, so make a patch of these alone", left],
    ["Neither as before nor as the patch has it, so look first", other],
  ] as const;
  const told = lists.flatMap(([name, list]) => (list.length > 0 ? [`${name}: ${list.join(", ")}.`] : []));
  return { content: [restarted, ...told].join("\n"), isError: true };
}

const restarted = "The factory was restarted while this ran.";
