/** What a scope says, whatever confines to it. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, join, sep } from "node:path";
import { UacError } from "#core/errors.ts";
import type { SandboxCommand, SandboxScope } from "#ports/sandbox.ts";

/** Throws `bad_input` for one that is relative, or the root. */
export function checkPaths(scope: SandboxScope): void {
  for (const path of [scope.worktree, ...scope.readOnly, ...scope.masked]) {
    if (!isAbsolute(path) || path === sep) {
      throw new UacError("bad_input", `The sandbox was given the path "${path}"; it needs an absolute path that is not the root.`);
    }
  }
}

/** The worktree and the command's directory, as the kernel calls them. Throws `bad_input` where the latter lies outside. */
export function placesOf(scope: SandboxScope, command: SandboxCommand) {
  const worktree = realpathSync(scope.worktree);
  // Before anything else: the worktree is handed to the command's user.
  if (dirname(worktree) === sep || worktree === sep) {
    throw new UacError("bad_input", `"${worktree}" cannot be a worktree: it lies at the root. Give a directory further down.`);
  }
  const cwd = realpathSync(command.cwd);
  if (cwd !== worktree && !cwd.startsWith(worktree + sep)) {
    throw new UacError("bad_input", "The command was to run outside the worktree; give a directory inside it.");
  }
  return { worktree, cwd };
}

/**
 * What is covered, as the kernel calls it: through a link it is the target that must be; one that leads nowhere shows nothing.
 * @param closed what in the worktree holds credentials
 */
export function coveredBy(scope: SandboxScope, closed: readonly string[]): string[] {
  const covered = [...scope.masked, ...closed, ...scope.readOnly.flatMap(credentials)];
  return covered.filter((path) => existsSync(path)).map((path) => realpathSync(path));
}

/** In a git directory that is shown: where the owner's tokens are, if remote addresses hold any. */
function credentials(directory: string): string[] {
  const config = join(directory, "config");
  if (!existsSync(join(directory, "HEAD")) || !existsSync(config)) return [];
  const telling = /:\/\/[^\s/]*@|extraheader|password|token/i.test(readFileSync(config, "utf8"));
  return [...(telling ? [config] : []), join(directory, "modules")];
}

/** One that is gone already keeps the name it is given. */
export function realOr(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
