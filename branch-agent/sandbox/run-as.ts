/**
 * Where the factory is root, its commands run as users that own nothing else: the kernel exempts root from its bound on processes, and a
 * file of root's is root's to write. Each task has a number of its own, which nobody on the machine has; its worktree is handed to it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { UacError } from "#core/errors.ts";

/** The first is outside what systemd and distributions give away; the second for containers that have 65,536 numbers only. */
const bases = [1_900_000_000, 64_000];
const most = 256;
const setpriv = "/usr/bin/setpriv";
const unshare = "/usr/bin/unshare";
const chownMs = 60_000;
const readyMs = 5_000;

export interface Users {
  /** An open user namespace in which root and these users exist, and no further namespace can be made. */
  namespace: number;
  /** A number of its own for the worktree, which belongs to it from then on. Rejects with `sandbox_unavailable`. */
  take(worktree: string): Promise<number>;
  giveBack(user: number): void;
}

/** Null where this process is not root, or has no such numbers to give: then commands run as who it is. */
export async function openUsers(): Promise<Users | null> {
  if (process.getuid?.() !== 0 || ![setpriv, unshare].every((path) => existsSync(path))) return null;
  const base = bases.find((number) => mapped(number));
  const namespace = base === undefined ? null : await makeNamespace(base).catch(() => null);
  if (base === undefined || namespace === null) return null;
  const taken = new Set<number>();
  return {
    namespace,
    async take(worktree) {
      let user = base;
      while (taken.has(user)) user++;
      if (user >= base + most) throw new UacError("sandbox_unavailable", `No sandbox: more than ${most} worktrees are in use at once.`);
      taken.add(user);
      const child = spawn("chown", ["-hR", `${user}:${user}`, worktree], { stdio: "ignore", timeout: chownMs, killSignal: "SIGKILL" });
      const code: unknown = await once(child, "close").then(
        ([exit]) => exit,
        () => null,
      );
      if (code === 0) return user;
      taken.delete(user);
      throw new UacError("sandbox_unavailable", "No sandbox: the worktree could not be handed to a user of its own. See its file system.");
    },
    giveBack: (user) => void taken.delete(user),
  };
}

/** Program and arguments before the command, inside: from root in the namespace to the user, for good. */
export function becoming(user: number): string[] {
  const id = String(user);
  return [setpriv, "--reuid", id, "--regid", id, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"];
}

/** Does a number mean a user here? In a container only some do. */
function mapped(number: number): boolean {
  return ["uid_map", "gid_map"].every((name) =>
    readFileSync(`/proc/self/${name}`, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s+/).map(Number))
      .some(([first = 0, , count = 0]) => first <= number && number + most <= first + count),
  );
}

/** An open descriptor keeps it, after the process that made it has ended. */
async function makeNamespace(base: number): Promise<number> {
  // The second shell is root in the namespace, which the first became only after it was made; so the second alone may forbid more of them.
  const forbid = "echo 0 > /proc/sys/user/max_user_namespaces && echo ready && read -r end";
  const child = spawn(unshare, ["--user", "--", "/bin/sh", "-c", `echo made; read -r go; exec /bin/sh -c '${forbid}'`], {
    stdio: ["pipe", "pipe", "ignore"],
    timeout: readyMs,
    killSignal: "SIGKILL",
  });
  try {
    const said = async (word: string) => {
      const [chunk] = await Promise.race([once(child.stdout, "data"), once(child, "close")]);
      if (String(chunk).trim() !== word) throw new Error(`no user namespace: ${String(chunk)}`);
    };
    await said("made");
    for (const map of ["uid_map", "gid_map"]) writeFileSync(`/proc/${child.pid}/${map}`, `0 0 1\n${base} ${base} ${most}\n`);
    child.stdin.write("\n");
    await said("ready");
    return openSync(`/proc/${child.pid}/ns/user`, "r");
  } finally {
    child.kill("SIGKILL");
  }
}
