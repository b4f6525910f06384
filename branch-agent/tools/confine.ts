/** Paths that a model names, held inside its worktree. */
import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { isOpened, isSecret } from "../sandbox/secrets.ts";

export interface Confined {
  /** Where it really is: no link on the way leads out. */
  path: string;
  /** What it lies below: the worktree, or the logs. */
  base: string;
  /** How to call it, relative to the worktree. */
  shown: string;
  exists: boolean;
}

export interface Bounds {
  /** The worktree. Absolute and real. */
  root: string;
  /** Covered by the sandbox, so closed here too. Absolute. */
  masked: readonly string[];
  /** What of `masked` was there, by `identityOf`. */
  secrets?: ReadonlySet<string>;
  /** As the sandbox's scope has it at that moment. */
  opened?(): readonly string[];
  /** Readable beside the worktree: logs of commands. Absolute and real. */
  logs?: string | undefined;
}

/** A refusal that the model reads: what, why, what to do. */
export class Refusal extends Error {}

export const inside = (path: string, root: string) => path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);

/** A look alone: a job may swap a directory for a link right after it. What is done with the answer goes by `held`. */
export async function confine(bounds: Bounds, named: string): Promise<Confined> {
  const { root } = bounds;
  const wanted = resolve(root, named);
  const isLog = bounds.logs !== undefined && inside(wanted, bounds.logs);
  if (named.includes("\0") || !(inside(wanted, root) || isLog)) throw outside(named);
  const { path, exists } = await followed(wanted);
  if (isLog && bounds.logs && inside(path, bounds.logs)) return { path, base: bounds.logs, shown: path, exists };
  if (!inside(path, root)) throw outside(named);
  // Without case: some file systems do not tell `.GIT` from `.git`.
  const inGit = [wanted, path].some((each) =>
    relative(root, each)
      .split(sep)
      .some((part) => part.toLowerCase() === ".git"),
  );
  if (inGit) throw new Refusal(`"${named}" belongs to git, which the factory alone handles. Leave it; your changes are committed for you.`);
  for (const secret of bounds.masked) {
    const real = await realpath(secret).catch(() => secret);
    if (inside(path, real)) throw closed(named);
  }
  if (isSecret(path) && !isOpened({ worktree: root, opened: bounds.opened?.() ?? [] }, path)) throw closed(named);
  return { path, base: root, shown: relative(root, path).split(sep).join("/") || ".", exists };
}

/** The real path; of something that is not there yet, below the nearest directory that is. */
async function followed(path: string): Promise<{ path: string; exists: boolean }> {
  try {
    return { path: await realpath(path), exists: true };
  } catch {
    // A link that leads nowhere would be written through.
    const dangling = await lstat(path).then(
      (stat) => stat.isSymbolicLink(),
      () => false,
    );
    if (dangling) throw new Refusal(`"${basename(path)}" is a link that leads nowhere. Remove it first, or name its target.`);
    if (dirname(path) === path) return { path, exists: false };
    const parent = await followed(dirname(path));
    return { path: join(parent.path, basename(path)), exists: false };
  }
}

function closed(named: string) {
  return new Refusal(`"${named}" holds secrets and is closed. Work without it.`);
}

function outside(named: string) {
  return new Refusal(`"${named.slice(0, 200)}" is outside the worktree. Name a path inside it, relative to its root.`);
}
