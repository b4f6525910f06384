/**
 * Files of a worktree that hold credentials, tracked or not: covered for commands, closed to the file tools, left out of a commit when new.
 * By name; where the name alone does not tell, also by what stands in the file.
 */
import { chmodSync, closeSync, constants, lstatSync, openSync, readdirSync, readSync, type Stats } from "node:fs";
import { basename, dirname, join, matchesGlob, relative } from "node:path";
import type { SandboxScope } from "#ports/sandbox.ts";
import { artefactDirectories } from "../workspace/artefacts.ts";
import { unavailable } from "./unavailable.ts";

interface Rule {
  /** Of the file, lower case; with `within`, only in such a directory. */
  name: RegExp;
  within?: RegExp;
  except?: RegExp;
  /** Absent: the name is enough. */
  holds?: RegExp;
}

const privateKey = /-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY( BLOCK)?-----/;
/** A value, and not the name of a variable that holds it. A model may have written the file: nothing here may take long, so every repetition has an end. */
const given = "\\w{0,32}[\"']?\\s{0,8}[:=]\\s{0,8}[\"']?(?![{$\\s\"'])\\S{8}";

/** The one list. Sources: gitleaks' path rules, GitHub's secret scanning, and what each tool's manual says of where it keeps its login. */
const rules: readonly Rule[] = [
  { name: /^\.env($|[._-])|\.env$/, except: /[._-](example|sample|template|tpl|dist|defaults?|schema)$/ },
  { name: /^\.envrc$/, holds: new RegExp(`(key|token|secret|passw)${given}`, "i") },
  { name: /^id_(rsa|dsa|ecdsa|ed25519)(_sk)?$|\.(ppk|p12|pfx|jks|keystore|kdbx)$/ },
  { name: /\.(pem|key|asc|gpg)$|^id_/, holds: privateKey },
  { name: /^\.?(npmrc|yarnrc(\.yml)?)$|^bunfig\.toml$/, holds: new RegExp(`(_auth(token)?|_password|npmauth|token)${given}`, "i") },
  { name: /^[._]netrc$|^\.git-credentials$|^\.pgpass$|^\.dockercfg$|^\.htpasswd$|^\.vault-token$|^credentials\.tfrc\.json$/ },
  {
    name: /^(\.pypirc|pip\.conf|\.my\.cnf|\.s3cfg|\.boto|\.terraformrc|nuget\.config|settings-security\.xml)$/,
    holds: /passw|token|secret|:\/\/[^\s/]{1,256}@/i,
  },
  { name: /^(credentials|config|sso\.json)$/, within: /^\.aws$/ },
  { name: /^(credentials(\.toml)?)$/, within: /^\.(cargo|gem)$/ },
  { name: /^(config\.json)$/, within: /^\.docker$/, holds: /"auth|"identitytoken/ },
  { name: /^(config|kubeconfig.*)$/, within: /^\.kube$/ },
  { name: /^kubeconfig|\.kubeconfig$/, holds: /client-key-data|token:|password:/ },
  { name: /^(hosts\.ya?ml)$/, within: /^gh$/, holds: /oauth_token/ },
  {
    name: /^(application_default_credentials|.*(service.?account|credentials?|firebase|gcp|google).*)\.json$/,
    holds: /"(private_key|refresh_token|client_secret)"\s{0,64}:\s{0,64}"[^"$]/,
  },
  { name: /^(accesstokens|azureprofile|msal_token_cache.*)\.(json|bin)$/, within: /^\.azure$/ },
  { name: /\.tfstate(\.backup)?$|\.tfvars(\.json)?$/, holds: /(password|secret|token|private_key)\w{0,32}"?\s{0,64}[:=]\s{0,64}"[^"$]/i },
];

/** Bytes of a file that are looked at. */
const looked = 256 * 1024;
const mostDirectories = 100_000;
const mostSecrets = 256;
const mostJudged = 10_000;
/** A directory changed so shortly before it was read may have changed again without a later time. */
const settledMs = 100;

/** Whether a file holds credentials. One that is not there yet has only its name. */
export function isSecret(path: string): boolean {
  const rule = ruleFor(path);
  if (rule.length === 0) return false;
  if (rule.some(({ holds }) => holds === undefined)) return true;
  const beginning = beginningOf(path);
  return beginning === null || rule.some(({ holds }) => holds?.test(beginning));
}

/** The owner has said of it that it may be seen: by its path in the worktree, or a pattern. */
export function isOpened({ worktree, opened = [] }: Pick<SandboxScope, "worktree" | "opened">, path: string): boolean {
  return opened.some((pattern) => matchesGlob(relative(worktree, path), pattern));
}

function ruleFor(path: string): Rule[] {
  const name = basename(path).toLowerCase();
  const within = basename(dirname(path)).toLowerCase();
  return rules.filter((rule) => rule.name.test(name) && !rule.except?.test(name) && (rule.within?.test(within) ?? true));
}

/** A byte a character. Null: it is there, and nobody lets us read it. */
export function beginningOf(path: string): string | null {
  try {
    // Without waiting: a pipe of that name would never open.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const bytes = Buffer.alloc(looked);
      return bytes.toString("latin1", 0, readSync(file, bytes, 0, looked, 0));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES" ? null : "";
  }
}

export interface Finder {
  /** What holds credentials now. */
  find(): Secret[];
  /** Where this file was found first, whatever it is called now; null: it was not. */
  foundAt(info: Identity): string | null;
}

/** A file whatever its name is; the number alone is another's when the file is gone. */
export type Identity = Pick<Stats, "dev" | "ino" | "birthtimeMs">;

interface Secret {
  path: string;
  /** What the owner opened is opened by this: a command could move any other to where a pattern opens it. */
  foundAt: string;
  identity: string;
}

interface Seen {
  changedMs: number;
  readMs: number;
  directories: string[];
  /** Regular files with a name that some rule has. */
  candidates: string[];
}

/** What each of the worktrees that were worked in last is known to hold. */
const finders = new Map<string, Finder>();
const findersKept = 64;

/** The paths of what is to be covered now. `worktree`: its real path. */
export function closedIn(scope: Pick<SandboxScope, "worktree" | "opened">): string[] {
  return secretsIn(scope.worktree)
    .find()
    .flatMap(({ path, foundAt }) => (isOpened(scope, foundAt) ? [] : [path]));
}

/** @param worktree its real path */
export function secretsIn(worktree: string): Finder {
  const finder = finders.get(worktree) ?? secretFinder(worktree);
  finders.delete(worktree);
  finders.set(worktree, finder);
  for (const oldest of finders.keys()) {
    if (finders.size <= findersKept) break;
    finders.delete(oldest);
  }
  return finder;
}

/**
 * Finds them anew before each command, since commands make files: of a directory that has not changed only its time is looked at.
 * One finder serves one worktree. Throws `sandbox_unavailable` where there is too much to look through: what is not looked at is not covered.
 */
function secretFinder(root: string): Finder {
  let seen = new Map<string, Seen>();
  let before: readonly Secret[] = [];
  /** What was covered once stays a secret, though a command moves the directory that made it one. */
  const known = new Map<string, string>();
  const judged = new Map<string, { changedMs: number; readMs: number; size: number; secret: boolean }>();
  /** A command may move the directory in which a secret lies to where nobody looks: once one was gone, everything is looked at. */
  let everywhere = false;

  function look(directory: string): Seen | null {
    const stat = statOf(directory);
    if (!stat?.isDirectory()) return null;
    const last = seen.get(directory);
    if (last?.changedMs === stat.ctimeMs && last.readMs - last.changedMs > settledMs) return last;
    const found: Seen = { changedMs: stat.ctimeMs, readMs: Date.now(), directories: [], candidates: [] };
    for (const entry of entriesOf(directory, stat)) {
      const path = join(directory, entry.name);
      if (entry.isDirectory() && (everywhere || !skipped.has(entry.name))) found.directories.push(path);
      if (entry.isFile() && (ruleFor(path).length > 0 || (everywhere && isKnown(path)))) found.candidates.push(path);
    }
    return found;
  }

  function isKnown(path: string): boolean {
    const stat = statOf(path);
    return stat !== null && known.has(identityOf(stat));
  }

  function isGone({ path, identity }: Secret): boolean {
    const stat = statOf(path);
    return stat === null || identityOf(stat) !== identity;
  }

  function judge(path: string): Secret[] {
    const stat = statOf(path);
    if (!stat?.isFile()) return [];
    const identity = identityOf(stat);
    const last = judged.get(path);
    const isOld = last?.changedMs === stat.ctimeMs && last.size === stat.size && last.readMs - last.changedMs > settledMs;
    const secret = isOld ? last.secret : known.has(identity) || isSecret(path);
    if (!isOld) judged.set(path, { changedMs: stat.ctimeMs, readMs: Date.now(), size: stat.size, secret });
    return secret ? [{ path, foundAt: known.get(identity) ?? path, identity }] : [];
  }

  function find(): Secret[] {
    if (judged.size > mostJudged) judged.clear();
    if (!everywhere && before.some(isGone)) {
      everywhere = true;
      seen = new Map();
    }
    const now = new Map<string, Seen>();
    const waiting = [root];
    const secrets: Secret[] = [];
    for (const directory of waiting) {
      const found = look(directory);
      if (!found) continue;
      now.set(directory, found);
      waiting.push(...found.directories);
      secrets.push(...found.candidates.flatMap(judge));
      if (waiting.length > mostDirectories || secrets.length > mostSecrets) {
        throw unavailable(
          "the worktree has too many directories, or files named like credentials, to cover those",
          "Remove what is not needed",
        );
      }
    }
    seen = now;
    before = secrets;
    for (const { identity, foundAt } of secrets) known.set(identity, foundAt);
    return secrets;
  }

  return { find, foundAt: (info) => known.get(identityOf(info)) ?? null };
}

const skipped = new Set([".git", ...artefactDirectories]);

export const identityOf = ({ dev, ino, birthtimeMs }: Identity) => `${dev}:${ino}:${birthtimeMs}`;

function statOf(path: string): Stats | null {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    // A directory on the way is closed to us, or is none.
    return null;
  }
}

const seeInside = 0o500;

/** A command may close a directory that the next one opens again, and what we can't see we can't cover: one that is ours is opened. */
function entriesOf(directory: string, { mode, uid }: Stats) {
  const self = process.getuid?.();
  try {
    if (self !== 0 && self === uid && (mode & seeInside) !== seeInside) chmodSync(directory, (mode & 0o7777) | seeInside);
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}
