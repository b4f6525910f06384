/** The files of a worktree as the tools read and write them, with what the model has seen of each. */
import { createHash, randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Bounds, type Confined, Refusal } from "./confine.ts";
import { held } from "./held.ts";

/** Bytes. Beyond it the shell's tools are the right ones. */
const largestFile = 10 * 1024 ** 2;

/** Bytes as they lay there, with their sha256. */
export interface Content {
  bytes: Buffer;
  digest: string;
}

export interface Files {
  /** The bytes of a regular file. */
  read(file: Confined): Promise<Content>;
  /** The model has seen this content. */
  note(file: Confined, digest: string): void;
  /** The bytes as last seen. Refuses if the model has not seen them (`shown` knows what it saw before a restart), or someone changed them since. */
  readSeen(file: Confined, shown: (digest: string) => boolean): Promise<Buffer>;
  /** Replaces the file as a whole, keeps its mode (a new one gets `mode`), makes its directories. */
  write(file: Confined, bytes: Buffer, mode?: number): Promise<void>;
  remove(file: Confined): Promise<void>;
}

/** Remembers digests for one run only. */
export function trackedFiles(bounds: Bounds): Files {
  const seen = new Map<string, string>();

  async function read(file: Confined): Promise<Content> {
    const bytes = await readRegular(bounds, file);
    return { bytes, digest: createHash("sha256").update(bytes).digest("hex") };
  }

  return {
    read,
    note: (file, digest) => void seen.set(file.path, digest),
    async readSeen(file, shown) {
      const known = seen.get(file.path);
      const { bytes, digest } = await read(file);
      if (known === undefined && !shown(digest)) {
        throw new Refusal(`You have not read "${file.shown}" as it is now. Read it first, then try again.`);
      }
      if (known !== undefined && digest !== known) {
        throw new Refusal(`"${file.shown}" has changed since you read it. Read it again, then redo your change.`);
      }
      return bytes;
    },
    async write(file, bytes, newMode) {
      await held(
        bounds,
        file,
        async ({ dir, name, mustBeOpen }) => {
          const target = join(dir, name);
          const before = await lstat(target).catch(() => null);
          if (before) mustBeOpen(before);
          if (before && !file.exists) throw new Refusal(`"${file.shown}" was made meanwhile, by a job or a command. Read it first.`);
          if (before?.isDirectory()) throw new Refusal(`"${file.shown}" is a directory. Name a file in it.`);
          const mode = before?.isFile() ? before.mode & 0o777 : newMode;
          // Beside the target, so that the renaming is atomic: a reader sees the old file or the new one.
          const draft = join(dir, `.uac-${randomUUID()}.tmp`);
          try {
            const handle = await open(draft, "wx", mode ?? 0o666);
            try {
              await handle.writeFile(bytes);
              if (process.getuid?.() === 0) await chownAs(handle, before ?? (await stat(dir)));
              if (mode !== undefined) await handle.chmod(mode);
            } finally {
              await handle.close();
            }
            await rename(draft, target);
          } catch (error) {
            await rm(draft, { force: true });
            throw error;
          }
        },
        { make: true },
      );
      seen.set(file.path, createHash("sha256").update(bytes).digest("hex"));
    },
    async remove(file) {
      await held(bounds, file, ({ dir, name }) => rm(join(dir, name)));
      seen.delete(file.path);
    },
  };
}

/** What root writes belongs to whom the file, or its directory, belonged: a command may run as somebody else. */
async function chownAs(handle: FileHandle, { uid, gid }: { uid: number; gid: number }) {
  if (uid !== 0 || gid !== 0) await handle.chown(uid, gid);
}

async function readRegular(bounds: Bounds, file: Confined): Promise<Buffer> {
  if (!file.exists) throw new Refusal(`There is no file "${file.shown}". Use glob to find it.`);
  if (file.path === file.base) throw new Refusal(`"${file.shown}" is a directory. Use glob with "*" to list it.`);
  return await held(bounds, file, async ({ dir, name, mustBeOpen }) => {
    // Without waiting: opening a pipe would hang until somebody writes into it.
    const handle = await open(join(dir, name), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const info = await handle.stat();
      mustBeOpen(info);
      if (info.isDirectory()) throw new Refusal(`"${file.shown}" is a directory. Use glob with "${file.shown}/*" to list it.`);
      if (!info.isFile()) throw new Refusal(`"${file.shown}" is no regular file, so it cannot be read.`);
      if (info.size > largestFile) {
        throw new Refusal(`"${file.shown}" has ${info.size} bytes, over ${largestFile}. Use grep, or bash with head, tail or sed.`);
      }
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  });
}

/** Whether to treat bytes as binary, as git does: a zero byte near the start. */
export const isBinary = (bytes: Buffer) => bytes.subarray(0, 8000).includes(0);

/** As text that turns back into the same bytes, or not at all. */
export function asText(bytes: Buffer, shown: string): string {
  try {
    if (!isBinary(bytes)) return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Told below.
  }
  throw new Refusal(`"${shown}" is not UTF-8 text, so editing it could harm it. Use bash with sed or a script.`);
}

/** Refuses what no UTF-8 file can hold: half a character, which would be written as another one. */
export function mustBeText(...texts: readonly string[]): void {
  if (texts.every((text) => text.isWellFormed())) return;
  throw new Refusal("The text holds half of a surrogate pair, which no UTF-8 file can. Give the whole character.");
}
