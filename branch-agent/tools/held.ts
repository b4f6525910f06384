/** A file's directory, held by its descriptor: whoever swaps a directory on the way for a link leads nobody elsewhere. */
import { closeSync, constants, fchownSync, fstatSync, mkdirSync, openSync, statSync } from "node:fs";
import { basename, dirname, relative, sep } from "node:path";
import { type Identity, identityOf, isOpened, secretsIn } from "../sandbox/secrets.ts";
import { type Bounds, type Confined, Refusal } from "./confine.ts";

/**
 * Linux names an open directory by a path, which then leads to that directory alone. Elsewhere the plain path stands for it: there
 * no job runs beside a file tool (see `jobs.ts`).
 */
export const holdsByDescriptor = process.platform === "linux";

export interface Held {
  /** Leads to the directory whatever happens to its name; good until `held` is over. */
  dir: string;
  name: string;
  /** Throws if these are the bytes of a secret that was moved here. */
  mustBeOpen(info: Identity): void;
}

/**
 * Opens one directory after the other from the base down, each by its parent's descriptor and none through a link.
 * @param options.make the directories that are missing
 */
export async function held<T>(
  bounds: Bounds,
  file: Confined,
  work: (held: Held) => Promise<T>,
  options: { make?: boolean } = {},
): Promise<T> {
  const mustBeOpen = (info: Identity) => {
    const isMasked = bounds.secrets?.has(identityOf(info)) === true;
    const foundAt = secretsIn(bounds.root).foundAt(info);
    const isFound = foundAt !== null && !isOpened({ worktree: bounds.root, opened: bounds.opened?.() ?? [] }, foundAt);
    if (isMasked || isFound) throw new Refusal(`"${file.shown}" holds secrets and is closed. Work without it.`);
  };
  const name = basename(file.path);
  const below = relative(file.base, dirname(file.path));
  if (!holdsByDescriptor) {
    if (options.make) mkdirSync(dirname(file.path), { recursive: true });
    return await work({ dir: dirname(file.path), name, mustBeOpen });
  }
  let fd = openSync(file.base, asDirectory);
  try {
    for (const step of below.split(sep).filter((part) => part !== "")) {
      const next = stepInto(`/proc/self/fd/${fd}/${step}`, options.make === true);
      closeSync(fd);
      fd = next;
      mustBeOpen(fstatSync(fd));
    }
    return await work({ dir: `/proc/self/fd/${fd}`, name, mustBeOpen });
  } finally {
    closeSync(fd);
  }
}

const asDirectory = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

function stepInto(path: string, make: boolean): number {
  try {
    return openSync(path, asDirectory);
  } catch (error) {
    if (!make || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const { uid, gid } = statSync(dirname(path));
    mkdirSync(path);
    const fd = openSync(path, asDirectory);
    // What root makes belongs to whom its parent does: a command may run as somebody else.
    if (process.getuid?.() === 0 && (uid !== 0 || gid !== 0)) fchownSync(fd, uid, gid);
    return fd;
  }
}

/** What is covered, by what it is: a command can rename a directory above it, and then it has another path. */
export function secretsOf(masked: readonly string[]): ReadonlySet<string> {
  return new Set(masked.flatMap((path) => statSync(path, { throwIfNoEntry: false }) ?? []).map(identityOf));
}
