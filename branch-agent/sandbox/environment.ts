/** What every command in the sandbox finds in its environment; nothing of the factory's own gets in. */
export const sandboxEnvironment: Readonly<Record<string, string>> = {
  LANG: "C.UTF-8",
  TERM: "dumb",
  NO_COLOR: "1",
  PAGER: "cat",
  GIT_PAGER: "cat",
  GIT_TERMINAL_PROMPT: "0",
  // The repository is shown read-only: reading commands must not try to refresh its index.
  GIT_OPTIONAL_LOCKS: "0",
  // Root may work on a repository that the owner's user owns, which git refuses otherwise.
  GIT_CONFIG_COUNT: "2",
  GIT_CONFIG_KEY_0: "safe.directory",
  GIT_CONFIG_VALUE_0: "*",
  GIT_CONFIG_KEY_1: "core.fsmonitor",
  GIT_CONFIG_VALUE_1: "false",
  PYTHONDONTWRITEBYTECODE: "1",
  npm_config_update_notifier: "false",
  npm_config_audit: "false",
  npm_config_fund: "false",
};

/**
 * Where package managers keep what they fetched: in the worktree, since a command's home is gone with it, and what the set-up fetched the
 * tests need. Below a directory that no commit takes in (`workspace/artefacts.ts`).
 */
export function cachesIn(worktree: string): Record<string, string> {
  return { CARGO_HOME: `${worktree}/.cache/cargo`, GOMODCACHE: `${worktree}/.cache/go` };
}
