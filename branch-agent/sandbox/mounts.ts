/** What a sandboxed command sees of the file system, as arguments of bwrap. */
import { existsSync, lstatSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SandboxScope } from "#ports/sandbox.ts";
import { etcMounts } from "./etc.ts";
import { checkPaths, coveredBy } from "./scope.ts";

/** Where programs may write beside the worktree: memory, gone with the command. Bytes. */
const tmpSize = 1024 ** 3;
const sharedMemorySize = 256 * 1024 ** 2;

/** Before what the command's user writes to: bwrap makes it as the factory's. */
const anybodys = ["--perms", "1777"];

export const sandboxHome = "/tmp/home";
/** Where a Node that lies in nobody's package directory is shown. */
const loneNode = "/opt/node/bin/node";

/**
 * What root could write there, even without capabilities. bwrap 0.8.0 itself covers /proc/sys only where the directory is writable; for
 * root the files in it are and the directory is not, so that a command could set `kernel.core_pattern` of the host, and own it.
 */
const procReadOnlyForRoot = ["sys", "fs", "acpi", "mtrr"];

export interface System {
  /** Arguments of bwrap. */
  args: string[];
  /** Node's directory where it is not part of the system: shown read-only. */
  nodeDir: string | null;
  path: string;
}

/** The system: the same for every command, so made once. */
export function systemMounts(nodeDir: string | undefined): System {
  const args = ["--ro-bind", "/usr", "/usr"];
  for (const name of ["bin", "sbin", "lib", "lib32", "lib64", "libx32"]) {
    const path = `/${name}`;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) args.push("--symlink", readlinkSync(path), path);
    else if (stat?.isDirectory()) args.push("--ro-bind", path, path);
  }
  args.push(...etcMounts());
  args.push("--proc", "/proc");
  const writable = process.getuid?.() === 0 ? procReadOnlyForRoot : [];
  for (const path of writable.map((name) => `/proc/${name}`)) args.push("--ro-bind-try", path, path);
  args.push("--dev", "/dev", ...anybodys, "--size", String(sharedMemorySize), "--tmpfs", "/dev/shm", "--remount-ro", "/dev");
  args.push(...anybodys, "--size", String(tmpSize), "--tmpfs", "/tmp", ...anybodys, "--dir", sandboxHome);
  const node = findNode(nodeDir);
  if (!node.dir && node.bin === dirname(loneNode)) args.push("--ro-bind", realpathSync(process.execPath), loneNode);
  return { args, nodeDir: node.dir, path: [node.bin, "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].join(":") };
}

/** Node's own directory, if it is one: never the home directory that somebody's `~/bin/node` lies in. */
export function findNode(given: string | undefined): { dir: string | null; bin: string } {
  const dir = given ?? dirname(dirname(realpathSync(process.execPath)));
  if (dir === "/usr" || dir.startsWith("/usr/")) return { dir: null, bin: join(dir, "bin") };
  if (given || existsSync(join(dir, "include", "node"))) return { dir, bin: join(dir, "bin") };
  return { dir: null, bin: dirname(loneNode) };
}

/**
 * The task's part: the worktree writable (if it may be), its `.git` and what else is shown read-only, secrets covered.
 * @param shown directories that are read-only for every task
 * @param closed what in the worktree holds credentials
 */
export function scopeMounts(scope: SandboxScope, shown: readonly string[], closed: readonly string[]): string[] {
  checkPaths(scope);
  const worktree = realpathSync(scope.worktree);
  const binds = [
    { how: scope.writable === false ? "--ro-bind" : "--bind", path: worktree },
    ...[...shown, ...scope.readOnly].map((path) => ({ how: "--ro-bind", path: realpathSync(path) })),
    // Read-only: a rewritten `.git` would make the host's git read a configuration that the model wrote.
    ...[join(worktree, ".git")].filter((path) => existsSync(path)).map((path) => ({ how: "--ro-bind", path })),
  ];
  // A directory before what lies in it: a later mount covers an earlier one.
  binds.sort((a, b) => a.path.length - b.path.length);
  const args = binds.flatMap(({ how, path }) => [how, path, path]);
  return [...args, ...coveredBy(scope, closed).flatMap(mask)];
}

function mask(real: string): string[] {
  // With --ro-bind the null device could not be opened, and programs that look for the file would fail.
  return statSync(real).isDirectory() ? ["--tmpfs", real, "--remount-ro", real] : ["--dev-bind", "/dev/null", real];
}
