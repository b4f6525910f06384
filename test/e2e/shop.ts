/** The demo repository, looked at with plain git. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Neither the user's git settings nor the test runner's variables; and `git status` must not write the index. */
const env = { PATH: process.env.PATH, HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1", GIT_OPTIONAL_LOCKS: "0" };

export async function git(dir: string, ...args: string[]): Promise<string> {
  return (await promisify(execFile)("git", args, { cwd: dir, env, maxBuffer: 1 << 24 })).stdout.trimEnd();
}

export async function branchesOf(shop: string): Promise<string[]> {
  return (await git(shop, "for-each-ref", "--format=%(refname:short)", "refs/heads")).split("\n").filter((name) => name !== "");
}

/** Everything of the owner's that must stay as it is: files, index, HEAD, status, the branch checked out. */
export async function checkoutOf(shop: string) {
  const names = readdirSync(shop, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.startsWith(join(shop, ".git")))
    .sort();
  const hash = createHash("sha256");
  for (const name of names) hash.update(`${name}\0`).update(readFileSync(name)).update("\0");
  return {
    files: hash.digest("hex"),
    index: readFileSync(join(shop, ".git", "index")).toString("base64"),
    head: readFileSync(join(shop, ".git", "HEAD"), "utf8"),
    config: readFileSync(join(shop, ".git", "config"), "utf8"),
    main: await git(shop, "rev-parse", "main"),
    status: await git(shop, "status", "--porcelain=v2", "--branch"),
  };
}

/** A clone of `shop` at `commit`, thrown away afterwards. */
export async function withClone<T>(shop: string, commit: string, use: (clone: string) => Promise<T>): Promise<T> {
  const clone = await mkdtemp(join(tmpdir(), "uac-e2e-clone-"));
  try {
    await git(clone, "clone", "--quiet", "--no-checkout", shop, ".");
    await git(clone, "checkout", "--quiet", "--detach", commit);
    return await use(clone);
  } finally {
    await rm(clone, { recursive: true, force: true });
  }
}

/** Exit code of the repository's own tests. */
export function testsIn(clone: string): Promise<number> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ["--test"], { cwd: clone, env }, () => resolve(child.exitCode ?? -1));
  });
}

/** True if git could apply `patch` there. */
export async function applies(clone: string, patch: string): Promise<boolean> {
  const file = join(clone, ".git", "the.diff");
  await writeFile(file, patch);
  return git(clone, "apply", "--check", file).then(
    () => true,
    () => false,
  );
}
