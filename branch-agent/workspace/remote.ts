/** Where a repository's branches are pushed to, and what of the owner's own settings a push needs. */
import { type GitCall, git, type Setting } from "./git.ts";

export interface Remote {
  /** As it is spoken to; may hold a credential. */
  url: string;
  /** The same for people and approvals: without one. */
  shown: string;
  /** The one transport that a push to it may use. */
  protocol: "https" | "http" | "ssh" | "file";
  /** `host/owner/repository` as `gh` names it; null where it is not of that form. */
  project: string | null;
}

const printable = /^[\x21-\x7e]{1,500}$/;
/** `git@host:path`. A host is no option, and a path no second address. */
const scpLike = /^(?:[A-Za-z0-9._][A-Za-z0-9._-]*@)?([A-Za-z0-9][A-Za-z0-9.-]*):(?!\/\/)([A-Za-z0-9._~/][^:]*)$/;
const loopback = ["localhost", "127.0.0.1", "[::1]"];
/** Runs nothing but what the owner has set up to prove who they are. */
const lifted = /^(credential\.|http\.|core\.sshcommand$|ssh\.variant$)/i;

/** What an address amounts to; null for one that nothing is pushed to: a helper's (`ext::…`), a relative path, one in clear text. */
export function readRemote(url: string): Remote | null {
  if (!printable.test(url) || url.includes("::")) return null;
  if (url.startsWith("/")) return { url, shown: url, protocol: "file", project: null };
  const scp = scpLike.exec(url);
  if (scp && !url.includes("://")) return { url, shown: url, protocol: "ssh", project: projectOf(scp[1] ?? "", scp[2] ?? "") };
  if (!URL.canParse(url)) return null;
  const { protocol, hostname, host, pathname, username } = new URL(url);
  if (protocol === "file:") return hostname === "" ? { url, shown: `file://${pathname}`, protocol: "file", project: null } : null;
  if (protocol === "ssh:" && hostname !== "" && !hostname.startsWith("-")) {
    const user = username === "" ? "" : `${username}@`;
    return { url, shown: `ssh://${user}${host}${pathname}`, protocol: "ssh", project: projectOf(hostname, pathname) };
  }
  if (protocol === "https:") return { url, shown: `https://${host}${pathname}`, protocol: "https", project: projectOf(host, pathname) };
  if (protocol === "http:" && loopback.includes(hostname)) {
    return { url, shown: `http://${host}${pathname}`, protocol: "http", project: projectOf(host, pathname) };
  }
  return null;
}

function projectOf(host: string, path: string): string | null {
  const found = /^\/?([A-Za-z0-9][\w.-]*)\/([\w.-]+?)(?:\.git)?\/?$/.exec(path);
  return found ? `${host}/${found[1]}/${found[2]}` : null;
}

/** The remote that a branch is pushed to: its own, else the repository's, else `origin`, else the only one. Null: none that is spoken to. */
export async function remoteFor(gitDir: string, into: string | null): Promise<Remote | null> {
  const call: GitCall = { gitDir, ownersConfig: true };
  const names = lines(await git(["remote"], call)).filter((name) => !name.startsWith("-"));
  const wanted = into === null ? ["remote.pushDefault"] : [`branch.${into}.pushRemote`, "remote.pushDefault", `branch.${into}.remote`];
  let name: string | undefined;
  for (const key of wanted) {
    const value = (await git(["config", "--get", key], { ...call, accept: [1] })).out.trim();
    name ??= names.find((known) => known === value);
  }
  name ??= names.find((known) => known === "origin") ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined) return null;
  const [url = "", ...more] = lines(await git(["remote", "get-url", "--push", "--all", name], call));
  // Several at once would be more than the owner is shown.
  return more.length > 0 ? null : readRemote(url);
}

/** The owner's settings for credentials and connections: of the system and of the user, never the repository's. */
export async function ownersSettings(): Promise<Setting[]> {
  const { out } = await git(["config", "--list", "-z", "--includes"], { cwd: "/", ownersConfig: true, env: { GIT_CONFIG_COUNT: "0" } });
  return out.split("\0").flatMap((entry): Setting[] => {
    const end = entry.indexOf("\n");
    const key = end < 0 ? entry : entry.slice(0, end);
    return lifted.test(key) ? [[key, end < 0 ? "true" : entry.slice(end + 1)]] : [];
  });
}

const lines = ({ out }: { out: string }) => out.split("\n").filter((line) => line !== "");
