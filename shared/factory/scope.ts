/** What the sandbox of an attempt shows, writes to and reaches: as its Ops Token says at that moment, and this factory too. */
import { narrowerHosts } from "#core/hosts.ts";
import type { Sandbox, SandboxScope } from "#ports/sandbox.ts";
import type { Worktree } from "#ports/workspace.ts";
import type { Grant, Workshop } from "./branch.ts";

/**
 * Asked anew for each command, and its hosts for each connection: a token is renewed while the work goes on, and when it has expired with
 * headquarters away, the work goes on without network and without the files that only the token opened.
 */
export function scopeOf({ profile, clock }: Pick<Workshop, "profile" | "clock">, grant: Grant, worktree: Worktree): SandboxScope {
  const stands = () => clock.now() < grant.token.exp * 1000;
  return {
    worktree: worktree.path,
    readOnly: [worktree.gitDir],
    masked: [],
    get writable() {
      return grant.token.act.includes("write");
    },
    get network() {
      return stands() && profile.capabilities.network ? narrowerHosts(grant.token.net, profile.allowHosts) : [];
    },
    get opened() {
      return stands() ? grant.token.sec.filter((path) => profile.allowSecretFiles.includes(path)) : [];
    },
  };
}

/** The sandbox, with whoever is to be told of what it did not let through. */
export function observed(sandbox: Sandbox, tell: (sentence: string) => void): Sandbox {
  return {
    get name() {
      return sandbox.name;
    },
    check: () => sandbox.check(),
    enter: (worktree) => sandbox.enter(worktree),
    leave: (worktree) => sandbox.leave(worktree),
    bounds: () => sandbox.bounds(),
    async run(scope, command) {
      const run = await sandbox.run(scope, command);
      for (const sentence of run.refusals ?? []) tell(sentence);
      return run;
    },
  };
}
