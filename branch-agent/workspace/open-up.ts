/**
 * What a task closed to itself, and so to a factory of the same user: a test's `chmod 000`, or a package cache that is read-only throughout.
 * Git would leave such a directory out of the commit without a word, fail at such a file, and remove neither. Root is let in everywhere.
 */
import { chmod, lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Of the owner: look, pass, and write, without which nothing in it can be removed. */
const all = 0o700;
const read = 0o400;

/** Lets this user into each directory of its own below `root`, but for those of these names. To be done while nothing runs in there. */
export async function openDirectories(root: string, except: readonly string[] = []): Promise<void> {
  if (process.getuid?.() === 0) return;
  const waiting = [root];
  for (const directory of waiting) {
    await grant(directory, all);
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) if (entry.isDirectory() && !except.includes(entry.name)) waiting.push(join(directory, entry.name));
  }
}

/** Lets this user read each of these files. */
export async function openFiles(root: string, paths: readonly string[]): Promise<void> {
  if (process.getuid?.() === 0) return;
  for (const path of paths) await grant(join(root, path), read);
}

async function grant(path: string, rights: number): Promise<void> {
  const stat = await lstat(path).catch(() => null);
  if (!stat || stat.isSymbolicLink() || (stat.mode & rights) === rights || stat.uid !== process.getuid?.()) return;
  await chmod(path, (stat.mode & 0o7777) | rights);
}
