/**
 * What a command may do, as a profile of macOS's Seatbelt. The text is Anthropic's sandbox runtime's; its proxies, its environment and its
 * way to start a command are not used, since those here are the same as on Linux.
 */
import { realpathSync } from "node:fs";
import { join } from "node:path";
import type { SandboxScope } from "#ports/sandbox.ts";
import { checkPaths, coveredBy } from "./scope.ts";
import { closedIn } from "./secrets.ts";
import { unavailable } from "./unavailable.ts";

/** Writes a command line that begins with `env …` and goes on with `/usr/bin/sandbox-exec -p <profile> <shell> -c <command>`. */
export type Wrap = typeof import("@anthropic-ai/sandbox-runtime/dist/sandbox/macos-sandbox-utils.js").wrapCommandWithSandboxMacOS;

/**
 * What of the system is shown. Never `/System` or `/Library` as a whole: below the first lies the whole disk once more, in the second are
 * keychains and what programs keep.
 */
const system = [
  ..."/bin /sbin /usr/bin /usr/sbin /usr/lib /usr/libexec /usr/share /usr/standalone".split(" "),
  ..."/System/Library /System/Cryptexes /System/Volumes/Preboot/Cryptexes /System/iOSSupport /System/DriverKit".split(" "),
  ..."/Library/Apple /Library/Developer /Library/Frameworks /Library/Java /Applications/Xcode.app".split(" "),
  ..."/private/var/select /private/var/db/dyld /private/var/db/timezone /private/var/db/xcode_select_link".split(" "),
  ...["group", "hosts", "localtime", "man.conf", "manpaths", "passwd", "paths", "paths.d", "profile", "bashrc"].map(inEtc),
  ...["networks", "protocols", "services", "shells", "ssl", "zprofile", "zshrc"].map(inEtc),
];
/** Of Homebrew: programs, and not `etc` and `var`, where servers keep their data. */
const brewed = ["/opt/homebrew", "/usr/local"].flatMap((prefix) => [
  ...["bin", "sbin", "lib", "libexec", "include", "share", "opt", "Cellar", "Frameworks"].map((name) => join(prefix, name)),
  ...["etc/ca-certificates", "etc/openssl@3"].map((name) => join(prefix, name)),
]);
const readableDevices = ["null", "zero", "random", "urandom", "fd", "stdin", "stdout", "stderr", "dtracehelper", "autofs_nowait"];
const writableDevices = ["null", "zero", "stdout", "stderr", "dtracehelper"];

function inEtc(name: string): string {
  return join("/private/etc", name);
}
const devices = (names: readonly string[]) => names.map((name) => join("/dev", name));

/**
 * After all that the runtime says, so that it wins. Among its services are the keychain's, and the one that opens programs outside. The
 * links at the root are followed, which shows nothing of where they lead; the runtime would show all of that.
 */
const beyond = `(allow file-read* (literal "/etc") (literal "/tmp") (literal "/var"))
(deny mach-lookup
  (global-name "com.apple.SecurityServer")
  (global-name "com.apple.securityd.xpc")
  (global-name "com.apple.coreservices.launchservicesd"))`;

export type Told = Parameters<Wrap>[0];

export interface Surroundings {
  /** A directory of the command's own, for its home and what is temporary. */
  own: string;
  /** Node, where it lies outside of the system. */
  shown: readonly string[];
  /** Where the task's proxy listens on the loopback; null: no network. */
  port: number | null;
}

/** What the runtime is told. Throws `bad_input` for paths that are none. */
export function parametersOf(scope: SandboxScope, { own, shown, port }: Surroundings): Told {
  checkPaths(scope);
  const worktree = realpathSync(scope.worktree);
  const readOnly = scope.readOnly.map((path) => realpathSync(path));
  const writable = [own, ...devices(writableDevices), ...(scope.writable === false ? [] : [worktree])];
  return {
    command,
    // Else the text would hold the command.
    commandId: "uac",
    binShell: shell,
    needsNetworkRestriction: true,
    ...(port !== null && { httpProxyPort: port }),
    // `literal…`: names of directories, whatever brackets and asterisks are in them.
    readConfig: {
      ...{ denyOnly: [], literalDenyOnly: ["/"] },
      literalAllowWithinDeny: [worktree, own, ...readOnly, ...shown, ...system, ...brewed, ...devices(readableDevices)],
    },
    writeConfig: {
      ...{ allowOnly: [], literalAllowOnly: writable },
      // Also where there is none: what is put there would be the host's git's.
      ...{ denyWithinAllow: [], literalDenyWithinAllow: [join(worktree, ".git"), ...readOnly] },
    },
    degradeToDenyPaths: coveredBy(scope, closedIn({ ...scope, worktree })),
    // Repositories that tests make have a configuration; the worktree's own is read-only anyway.
    allowGitConfig: true,
  };
}

const shell = "/bin/bash";
const command = "true";
const before = "/usr/bin/sandbox-exec -p '";
const after = `' ${shell} -c ${command}`;
/** How the runtime's own quoting writes a quote within quotes. */
const quote = `'"'"'`;

/** The profile for a command whose own directory is `own`. Throws `sandbox_unavailable` where the runtime wrote something else than was expected of it. */
export function profileOf(wrap: Wrap, told: Told, own: string): string {
  let line: string;
  try {
    line = wrap(told);
  } catch (cause) {
    throw Object.assign(unexpected("no profile"), { cause });
  }
  const start = line.indexOf(before);
  if (start < 0 || !line.endsWith(after)) throw unexpected("no profile");
  const profile = line.slice(start + before.length, -after.length).replaceAll(quote, "'");
  // What is not denied by default, or read or written without bound, is no confinement.
  const open = /^\(allow (network\*|file-write\*|default)\)/m.exec(profile)?.[0];
  if (!/^\(version 1\)\n\(deny default\b/.test(profile) || open !== undefined) throw unexpected(open ?? "a profile that denies nothing");
  if (!/^\(deny file-read\*\n {2}\(subpath "\/"\)/m.test(profile)) throw unexpected("a profile that lets all be read");
  // In the place of its directory it could leave a link, through which the next command's profile would be written.
  return `${profile}\n${beyond}\n(deny file-write-unlink file-write-create (literal ${JSON.stringify(own)}))\n`;
}

function unexpected(what: string) {
  return unavailable(`Anthropic's sandbox runtime wrote ${what}`, "Install the version that package.json names (npm ci)");
}
