/** How a workspace is made ready and tested: by the owner's settings, else by what lies in its root. */
import type { Setup } from "#core/setup.ts";
import type { WorkspaceSettings } from "#factory/workspace-settings.ts";
import { detectSetup } from "./detect-setup.ts";
import { detectTest } from "./detect-test.ts";

/** By workspace, over what would be detected. */
export interface Declared {
  test?: Readonly<Record<string, string>>;
  /** Null: none. */
  setup?: Readonly<Record<string, string | null>>;
  hosts?: Readonly<Record<string, readonly string[]>>;
}

export interface Commands {
  test: { command: string; declared: boolean } | null;
  setup: (Setup & { declared: boolean }) | null;
}

export function declaredIn({ workspaceTests, workspaceSetups, workspaceHosts }: WorkspaceSettings): Declared {
  return { test: workspaceTests, setup: workspaceSetups, hosts: workspaceHosts };
}

/** Of the tree at `root`: a checkout, or a worktree before any edit. */
export async function commandsOf(workspace: string, root: string, { test = {}, setup = {}, hosts = {} }: Declared): Promise<Commands> {
  return { test: await testOf(root, test[workspace]), setup: await setupOf(workspace, root, setup[workspace], hosts[workspace]) };
}

async function testOf(root: string, declared: string | undefined): Promise<Commands["test"]> {
  const command = declared ?? (await detectTest(root));
  return command === null ? null : { command, declared: declared !== undefined };
}

async function setupOf(
  workspace: string,
  root: string,
  declared: string | null | undefined,
  hosts: readonly string[] | undefined,
): Promise<Commands["setup"]> {
  if (declared === null) return null;
  const found = await detectSetup(root);
  const command = declared ?? found?.command;
  if (!command) return null;
  return { workspace, command, hosts: [...(hosts ?? found?.hosts ?? [])], declared: declared !== undefined };
}

/** The same for people, of each workspace's checkout as it is now. */
export async function describeCommands(
  workspaces: Readonly<Record<string, string>>,
  declared: Declared,
): Promise<Record<string, { test: string; setup: string }>> {
  const all = Object.entries(workspaces).map(async ([name, path]) => {
    const { test, setup } = await commandsOf(name, path, declared);
    const origin = (one: { declared: boolean }) => (one.declared ? "as set" : "detected");
    return [
      name,
      {
        test: test ? `${inline(test.command)} (${origin(test)})` : "none found",
        setup: setup ? `${inline(setup.command)} (${origin(setup)}), reaching ${setup.hosts.join(", ") || "no host"}` : "none",
      },
    ] as const;
  });
  return Object.fromEntries(await Promise.all(all));
}

const inline = (command: string) => `\`${command.replaceAll(/\s+/g, " ")}\``;
