/** The files of a worktree as the tools read and write them, with what the model has seen of each. */
import { createHash, randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Confined, Refusal } from "./confine.ts";

/** Bytes. Beyond it the shell's tools are the right ones. */
const largestFile = 10 * 1024 ** 2;

export interface Files {
  /** The bytes of a regular file, remembered as seen if `note`. */
  read(file: Confined, note: boolean): Promise<Buffer>;
  /** The bytes as last seen. Refuses if the model has not seen them, or someone changed them since. */
  readSeen(file: Confined): Promise<Buffer>;
  /** Replaces the file as a whole, keeps its mode, makes its directories. */
  write(file: Confined, bytes: Buffer): Promise<void>;
}

/** Remembers digests for one run only: after a resume everything must be read anew. */
export function trackedFiles(): Files {
  const seen = new Map<string, string>();

  return {
    async read(file, note) {
      const bytes = await readRegular(file);
      if (note) seen.set(file.path, digest(bytes));
      return bytes;
    },
    async readSeen(file) {
      const known = seen.get(file.path);
      if (known === undefined) throw new Refusal(`You have not read "${file.shown}" in this run. Read it first, then try again.`);
      const bytes = await readRegular(file);
      if (digest(bytes) !== known)
        throw new Refusal(`"${file.shown}" has changed since you read it. Read it again, then redo your change.`);
      return bytes;
    },
    async write(file, bytes) {
      const mode = file.exists ? (await stat(file.path)).mode & 0o777 : undefined;
      await mkdir(dirname(file.path), { recursive: true });
      // Beside the target, so that the renaming is atomic: a reader sees the old file or the new one.
      const draft = join(dirname(file.path), `.uac-${randomUUID()}.tmp`);
      try {
        const handle = await open(draft, "wx", mode ?? 0o666);
        try {
          await handle.writeFile(bytes);
          if (mode !== undefined) await handle.chmod(mode);
        } finally {
          await handle.close();
        }
        await rename(draft, file.path);
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
      seen.set(file.path, digest(bytes));
    },
  };
}

async function readRegular(file: Confined): Promise<Buffer> {
  if (!file.exists) throw new Refusal(`There is no file "${file.shown}". Use glob to find it.`);
  // Without waiting: opening a pipe would hang until somebody writes into it.
  const handle = await open(file.path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const info = await handle.stat();
    if (info.isDirectory()) throw new Refusal(`"${file.shown}" is a directory. Use glob with "${file.shown}/*" to list it.`);
    if (!info.isFile()) throw new Refusal(`"${file.shown}" is no regular file, so it cannot be read.`);
    if (info.size > largestFile) {
      throw new Refusal(`"${file.shown}" has ${info.size} bytes, over ${largestFile}. Use grep, or bash with head, tail or sed.`);
    }
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Whether to treat bytes as binary, as git does: a zero byte near the start. */
export const isBinary = (bytes: Buffer) => bytes.subarray(0, 8000).includes(0);

const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
