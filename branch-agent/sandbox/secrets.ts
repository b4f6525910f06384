/**
 * Files of a worktree that hold credentials, tracked or not: covered for commands, closed to the file tools, left out of a commit when new.
 * By name; where the name alone does not tell, also by what stands in the file.
 */
import { closeSync, constants, existsSync, lstatSync, openSync, readdirSync, readSync } from "node:fs";
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
  return rule.some(({ holds }) => holds === undefined || holds.test(beginningOf(path)));
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

function beginningOf(path: string): string {
  try {
    // Without waiting: a pipe of that name would never open.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const bytes = Buffer.alloc(looked);
      return bytes.toString("latin1", 0, readSync(file, bytes, 0, looked, 0));
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}

interface Seen {
  changedMs: number;
  readMs: number;
  directories: string[];
  /** Regular files with a name that some rule has. */
  candidates: string[];
}

/**
 * Finds them anew before each command, since commands make files: of a directory that has not changed only its time is looked at.
 * One finder serves one worktree. Throws `sandbox_unavailable` where there is too much to look through: what is not looked at is not covered.
 */
export function secretFinder(root: string): () => string[] {
  let seen = new Map<string, Seen>();
  let before: readonly string[] = [];
  const judged = new Map<string, { changedMs: number; readMs: number; size: number; secret: boolean }>();
  /** A command may move the directory in which a secret lies to where nobody looks: once one was gone, everything is looked at. */
  let everywhere = false;

  function look(directory: string): Seen | null {
    const stat = lstatSync(directory, { throwIfNoEntry: false });
    if (!stat?.isDirectory()) return null;
    const known = seen.get(directory);
    if (known?.changedMs === stat.ctimeMs && known.readMs - known.changedMs > settledMs) return known;
    const found: Seen = { changedMs: stat.ctimeMs, readMs: Date.now(), directories: [], candidates: [] };
    for (const entry of entriesOf(directory)) {
      const path = join(directory, entry.name);
      if (entry.isDirectory() && (everywhere || !skipped.has(entry.name))) found.directories.push(path);
      if (entry.isFile() && ruleFor(path).length > 0) found.candidates.push(path);
    }
    return found;
  }

  function holds(path: string): boolean {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (!stat?.isFile()) return false;
    const known = judged.get(path);
    if (known?.changedMs === stat.ctimeMs && known.size === stat.size && known.readMs - known.changedMs > settledMs) return known.secret;
    const now = { changedMs: stat.ctimeMs, readMs: Date.now(), size: stat.size, secret: isSecret(path) };
    judged.set(path, now);
    return now.secret;
  }

  return () => {
    if (judged.size > mostJudged) judged.clear();
    if (!everywhere && before.some((path) => !existsSync(path))) {
      everywhere = true;
      seen = new Map();
    }
    const now = new Map<string, Seen>();
    const waiting = [root];
    const secrets: string[] = [];
    for (const directory of waiting) {
      const found = look(directory);
      if (!found) continue;
      now.set(directory, found);
      waiting.push(...found.directories);
      secrets.push(...found.candidates.filter(holds));
      if (waiting.length > mostDirectories || secrets.length > mostSecrets) {
        throw unavailable(
          "the worktree has too many directories, or files named like credentials, to cover those",
          "Remove what is not needed",
        );
      }
    }
    seen = now;
    before = secrets;
    return secrets;
  };
}

const skipped = new Set([".git", ...artefactDirectories]);

function entriesOf(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** What each of the worktrees that were worked in last is known to hold. */
const finders = new Map<string, () => string[]>();
const findersKept = 64;

/** Its files that hold credentials now; throws `sandbox_unavailable` as its finder does. */
export function secretsIn(worktree: string): string[] {
  const find = finders.get(worktree) ?? secretFinder(worktree);
  finders.delete(worktree);
  finders.set(worktree, find);
  for (const oldest of finders.keys()) {
    if (finders.size <= findersKept) break;
    finders.delete(oldest);
  }
  return find();
}
