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

/** As the programs that fetch things call them: Node and npm, OpenSSL, Python's requests and pip, curl, git, Cargo. */
const authorities = [
  ...["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_CERT"],
  ...["CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO"],
];
/** Of the places that hold certificates the ones that every command sees. */
const certificates = /^\/(etc\/ssl\/certs|etc\/pki\/tls\/certs|usr\/(local\/)?share\/ca-certificates)(\/[\w.-]+)*$/;

/**
 * Where the owner's environment says whom to trust: behind a proxy that opens TLS no host answers to a command that does not know its
 * authority. Only with a network, and only places that hold nothing but certificates.
 */
export function authoritiesIn(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    authorities.flatMap((name) => {
      const path = environment[name] ?? "";
      return certificates.test(path) && !path.split("/").includes("..") ? [[name, path]] : [];
    }),
  );
}
