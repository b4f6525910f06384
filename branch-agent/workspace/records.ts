/** What is remembered of worktrees beside them, and of the branches that they leave: each a small file, replaced whole. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { replayedSchema } from "#core/receipt.ts";
import { setupSchema } from "#core/setup.ts";

/** A worktree, from before it is made until it is closed. */
const worktreeSchema = z.strictObject({
  workspace: z.string(),
  /** The owner's checkout's git directory, and the one that all its worktrees share. */
  sourceGitDir: z.string(),
  gitDir: z.string(),
  base: z.string(),
  uncommitted: z.int().nonnegative(),
  /** The branch that the checkout was on; null: on none, or an earlier version did not look. */
  into: z.string().nullable().default(null),
  replayed: replayedSchema.nullable().default(null),
  branch: z.string(),
  test: z.string().nullable(),
  setup: setupSchema.nullable().default(null),
  /** The files are all there: what a crash left half made is made anew. */
  ready: z.boolean(),
});
export type WorktreeRecord = z.infer<typeof worktreeSchema>;

/** A branch with commits of its own, whose worktree was closed. */
const branchSchema = z.strictObject({
  workspace: z.string(),
  gitDir: z.string(),
  branch: z.string(),
  /** Where it stood then: one that stands elsewhere is the owner's. */
  tip: z.string(),
  /** Milliseconds since 1970. */
  endedAt: z.int(),
});
export type BranchRecord = z.infer<typeof branchSchema>;

export interface Records<T> {
  read(name: string): Promise<T | null>;
  write(name: string, record: T): Promise<void>;
  forget(name: string): Promise<void>;
  names(): Promise<string[]>;
}

export const worktreeRecords = (directory: string) => records(directory, worktreeSchema);
export const branchRecords = (directory: string) => records(directory, branchSchema);

/** Records in `<directory>/<name>.json`. What is not to be read (cut short, of another version) is an error. */
function records<T>(directory: string, schema: z.ZodType<T>): Records<T> {
  const pathOf = (name: string) => join(directory, `${name}.json`);
  return {
    async read(name) {
      const text = await readFile(pathOf(name), "utf8").catch(() => null);
      return text === null ? null : schema.parse(JSON.parse(text));
    },
    async write(name, record) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const draft = `${pathOf(name)}.tmp`;
      await writeFile(draft, JSON.stringify(record), { flush: true });
      await rename(draft, pathOf(name));
    },
    forget: (name) => rm(pathOf(name), { force: true }),
    async names() {
      const files = (await readdir(directory).catch(() => [])).filter((file) => file.endsWith(".json"));
      return files.map((file) => file.slice(0, -".json".length));
    },
  };
}
