/**
 * A push with the owner's own credentials, outside of the sandbox: the one call of git that leaves the machine, and only with the
 * owner's approval. It runs in an empty git directory made for it, which sees the repository's objects and none of its settings: what
 * a repository names for its remotes (helpers, `receivepack`, rewritten addresses, hooks, credential helpers) is not there.
 *
 * Lifted of what git.ts fixes, for this call alone:
 * - the transport that the address is of, and no other (`GIT_ALLOW_PROTOCOL`);
 * - `credential.*`, `http.*`, `core.sshCommand` and `ssh.variant` of the system and the user;
 * - `SSH_AUTH_SOCK` and what credential helpers look for in their environment (`passedOn`).
 * Nobody is asked for a password: no terminal, no askpass, ssh in batch mode.
 */
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UacError } from "#core/errors.ts";
import type { Follow } from "#core/follow-up.ts";
import type { Done } from "#ports/follow-up.ts";
import { environment, failed, git } from "./git.ts";
import { type HostRun, runOnHost } from "./host-command.ts";
import { ownersSettings, type Remote } from "./remote.ts";

const timeLimit = 120_000;
const answerChars = 1500;
/** Names no remote of the owner's: it exists for one call. */
const remoteName = "approved";

const passedOn = [
  ...["SSH_AUTH_SOCK", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "GNUPGHOME", "USER", "LOGNAME"],
  ...["GH_TOKEN", "GITHUB_TOKEN", "GH_HOST", "GH_CONFIG_DIR", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GLAB_CONFIG_DIR"],
  ...["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"],
];

/** What of this program's environment a credential helper or `gh` may see. */
export function ownersEnvironment(): Record<string, string> {
  return Object.fromEntries(passedOn.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

/** `gitDir` is the one that all worktrees share. The same commit pushed again is no second push. */
export async function push(gitDir: string, remote: Remote, { branch, head }: Follow, signal: AbortSignal): Promise<Done> {
  const ref = `refs/heads/${branch}`;
  const dir = await mkdtemp(join(tmpdir(), "uac-push-"));
  try {
    const format = head.length === 64 ? "sha256" : "sha1";
    await git(["init", "--quiet", "--bare", "--template=", `--object-format=${format}`, dir], { cwd: dir });
    // Where history was cut off, git must know it; most repositories are whole.
    await copyFile(join(gitDir, "shallow"), join(dir, "shallow")).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
    const owners = await ownersSettings();
    const sshCommand = owners.findLast(([key]) => key.toLowerCase() === "core.sshcommand")?.[1] ?? "ssh";
    const env = environment({
      gitDir: dir,
      config: [...owners, [`remote.${remoteName}.url`, remote.url]],
      env: {
        ...ownersEnvironment(),
        GIT_ALLOW_PROTOCOL: remote.protocol,
        GIT_ALTERNATE_OBJECT_DIRECTORIES: quotedPath(join(gitDir, "objects")),
        GIT_SSH_COMMAND: `${sshCommand} -oBatchMode=yes`,
        SSH_ASKPASS_REQUIRE: "never",
      },
    });
    const args = ["push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", remoteName, `${head}:${ref}`];
    const run = await runOnHost("git", args, { cwd: dir, env, timeoutMs: timeLimit, signal });
    return { already: outcomeOf(run, remote, ref), ref, head, answer: run.said.slice(-answerChars), url: null };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Whether the remote had it before; rejects with what the remote said where it took nothing. */
function outcomeOf({ code, ended, out, said }: HostRun, { shown }: Remote, ref: string): boolean {
  if (ended === "signal") throw new UacError("interrupted", "The push was stopped.");
  if (ended === "time")
    throw failed(`Not pushed: ${shown} did not answer within ${timeLimit / 1000} s. Nothing is known of what it took; ask again.`);
  // `<flag>\t<from>:<to>\t<what became of it>`: of one ref, one line.
  const [flag, , what = ""] =
    out
      .split("\n")
      .find((line) => line.includes(`:${ref}\t`))
      ?.split("\t") ?? [];
  if (code === 0 && (flag === "=" || flag === "*" || flag === " ")) return flag === "=";
  const why = [what, said.slice(-answerChars)].filter((text) => text !== "").join(". ");
  if (flag === "!") throw new UacError("conflict", `Not pushed: ${shown} refused it: ${why}. Nothing is ever pushed by force.`);
  throw failed(`Not pushed to ${shown}: ${why || `git ended with ${code}`}`);
}

/** As git reads lists of paths: one with a colon in it would be two. */
const quotedPath = (path: string) => (/[:"\\]/.test(path) ? `"${path.replaceAll(/["\\]/g, "\\$&")}"` : path);
