/** What the environment says of a factory's workspaces. */
import { hostEntry } from "#core/hosts.ts";
import { maxSetupHosts } from "#core/setup.ts";
import { pairs, type Reader, whole } from "./env-reader.ts";

export interface WorkspaceSettings {
  /** Name → absolute path of the owner's checkout. */
  workspaces: Readonly<Record<string, string>>;
  /** Commands, over what would be detected. */
  workspaceTests: Readonly<Record<string, string>>;
  /** The same for what makes a worktree ready; null: nothing, whatever would be detected. */
  workspaceSetups: Readonly<Record<string, string | null>>;
  /** `host:port` that a set-up may reach, over what would be detected. */
  workspaceHosts: Readonly<Record<string, readonly string[]>>;
  /** How long branches, logs and transcripts are kept, milliseconds. */
  retainMs: number;
}

const dayMs = 24 * 3_600_000;
const longestSetup = 1000;

export function readWorkspaces(from: Reader): WorkspaceSettings {
  const workspaces = from.read("WORKSPACES", pairs(",", /^\//, "`name=/absolute/path`, separated by commas")) ?? {};

  function ofWorkspaces(variable: string, value: RegExp, form: string): Record<string, string> {
    const given = from.read(variable, pairs(";", value, `\`name=${form}\`, separated by semicolons`)) ?? {};
    for (const name of Object.keys(given)) {
      if (!Object.hasOwn(workspaces, name)) from.complain(variable, `names ${name}, which WORKSPACES does not`);
    }
    return given;
  }

  const workspaceTests = ofWorkspaces("WORKSPACE_TESTS", /\S/, "command");
  const setups = Object.entries(ofWorkspaces("WORKSPACE_SETUP", /\S/, "command"));
  const long = setups.find(([, command]) => command.length > longestSetup);
  if (long) from.complain("WORKSPACE_SETUP", `has a command of more than ${longestSetup} characters for ${long[0]}`);
  const hosts = Object.entries(ofWorkspaces("WORKSPACE_HOSTS", /\S/, "host:port host:port")).map(([name, text]) => {
    const named = text.toLowerCase() === "none" ? [] : text.split(/\s+/);
    const odd = named.find((host) => hostEntry(host) === null);
    const all = [...new Set(named.flatMap((host) => hostEntry(host) ?? []))].toSorted();
    if (odd !== undefined)
      from.complain("WORKSPACE_HOSTS", `has ${JSON.stringify(odd)} for ${name}; allowed: host:port, such as pypi.org:443`);
    if (all.length > maxSetupHosts) from.complain("WORKSPACE_HOSTS", `names more than ${maxSetupHosts} for ${name}`);
    return [name, all] as const;
  });
  return {
    workspaces,
    workspaceTests,
    workspaceSetups: Object.fromEntries(setups.map(([name, command]) => [name, command === "none" ? null : command])),
    workspaceHosts: Object.fromEntries(hosts),
    retainMs: (from.read("RETAIN_DAYS", whole(1, 3650)) ?? 30) * dayMs,
  };
}
