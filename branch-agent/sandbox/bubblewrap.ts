/**
 * The sandbox on Linux: bubblewrap with an allow-listed file system, no network or a proxy to named hosts, no capabilities, an environment
 * of its own.
 *
 * Bounded for each command: wall time, output, open files, size of a file, /tmp, shared memory, core dumps (none). For all commands of one
 * worktree together: memory, processes, CPU, and what the worktree holds (`tasks.ts`).
 */
import { closeSync, openSync, realpathSync } from "node:fs";
import { join } from "node:path";
import type { Sandbox, SandboxCommand, SandboxScope } from "#ports/sandbox.ts";
import { runConfined } from "./confined-process.ts";
import { authoritiesIn, cachesIn, sandboxEnvironment } from "./environment.ts";
import { collect, findProgram } from "./host-program.ts";
import { fairShare, type Limits } from "./limits.ts";
import { type System, sandboxHome, scopeMounts, systemMounts } from "./mounts.ts";
import { type Network, namespace, networks } from "./network.ts";
import { withOpenParents } from "./open-parents.ts";
import type { Outside } from "./proxy.ts";
import { placesOf } from "./scope.ts";
import { closedIn } from "./secrets.ts";
import { openSlots, type Slot, type Slots } from "./slots.ts";
import { filterDescriptor, filterFile } from "./system-calls.ts";
import { findMeans, type Means, openTasks, type Task, type Tasks } from "./tasks.ts";
import { unavailable } from "./unavailable.ts";

/** `--disable-userns` and `--size` came with it. */
const oldestVersion = [0, 8] as const;

const isolation = [
  ...["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"],
  ...["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv"],
];
const noNetwork = ["--unshare-net"];
const ownNamespace = ["--unshare-user", "--disable-userns"];
/** One that is open already (`run-as.ts`), and just enough in it to become another user; becoming it drops these. */
const givenNamespace = ["--userns", "5", ...["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"].flatMap((name) => ["--cap-add", name])];

/**
 * @param options.bwrap the program; looked up on PATH otherwise
 * @param options.limits of one worktree's commands; the whole machine's for one, by default
 * @param options.means what is there to bound with, where it is not to be found out
 * @param options.nodeDir a Node's package directory (with `bin/node`); by default that of the running one
 * @param options.outside how hosts are found and called; by default as this machine does
 */
export function bubblewrap(
  options: { bwrap?: string; nodeDir?: string; outside?: Partial<Outside>; limits?: Limits; means?: () => Promise<Means> } = {},
): Sandbox {
  let version = "";
  let ready: Promise<Ready> | undefined;
  let found: Tasks | undefined;
  /** What is being made for a worktree must be there to be left. */
  let entering: Promise<unknown> = Promise.resolve();
  const limits = options.limits ?? fairShare(1);

  interface Ready {
    bwrap: string;
    system: System;
    enter: ReturnType<typeof networks>;
    tasks: Tasks;
    slots: Slots;
  }

  async function prepare(): Promise<Ready> {
    if (process.platform !== "linux") {
      throw unavailable(`bubblewrap confines commands on Linux only, and this is ${process.platform}`, "On macOS leave SANDBOX out");
    }
    const bwrap = findProgram(options.bwrap ?? "bwrap");
    if (!bwrap) throw unavailable("bubblewrap is not installed", "Install it (apt install bubblewrap, dnf install bubblewrap)");
    const system = systemMounts(options.nodeDir);
    const slots = openSlots();
    const filter = openSync(join(slots.directory, filterFile), "r");
    const trialWords = [...isolation, ...ownNamespace, ...noNetwork, "--seccomp", "0", ...system.args, "/bin/bash", "-c", "true"];
    const [seen, means, trial] = await Promise.all([
      collect(bwrap, ["--version"]),
      (options.means ?? findMeans)(),
      collect(bwrap, trialWords, filter),
    ]).finally(() => closeSync(filter));
    version = /(\d+)\.(\d+)[.\d]*/.exec(seen.output)?.[0] ?? "";
    const [major = 0, minor = 0] = version.split(".").map(Number);
    if (major === oldestVersion[0] && minor < oldestVersion[1]) {
      throw unavailable(`bubblewrap ${version || "of unknown version"} is too old`, `Install ${oldestVersion.join(".")} or newer`);
    }
    const tasks = openTasks(limits, means, slots.directory);
    if (trial.code !== 0) {
      throw unavailable(
        `bubblewrap may not confine here: ${trial.output.trim().slice(-300)}`,
        "Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0; on Ubuntu an AppArmor profile " +
          "for bwrap, from the package apparmor-profiles)",
      );
    }
    found = tasks;
    if (tasks.users) system.args = withOpenParents(system.args);
    const enter = networks({ openDoor: () => namespace(bwrap, findProgram("nsenter")), outside: options.outside ?? {} });
    return { bwrap, system, enter, tasks, slots };
  }

  /** Once it worked it is not tried again; a failure is, since the owner may have repaired it. */
  function prepared(): Promise<Ready> {
    ready ??= prepare().catch((error: unknown) => {
      ready = undefined;
      throw error;
    });
    return ready;
  }

  return {
    get name() {
      return version ? `bubblewrap ${version}` : "bubblewrap";
    },
    async check() {
      await prepared();
    },
    enter(worktree) {
      const making = async () => {
        const { tasks, slots } = await prepared();
        const [, slot] = await Promise.all([tasks.of(realpathSync(worktree)), slots.take()]);
        slot.free();
      };
      entering = Promise.allSettled([entering, making()]);
    },
    async run(scope, command) {
      const { bwrap, system, enter, tasks, slots } = await prepared();
      const { worktree } = placesOf(scope, command);
      if (command.signal?.aborted) return { exitCode: null, timedOut: false, output: "", truncated: false, durationMs: 0 };
      const task = await tasks.of(worktree);
      // Once: the list may shrink, and a command with half a network is none.
      const network = scope.network.length > 0 ? await enter(scope) : null;
      let slot: Slot | undefined;
      try {
        const options = optionsFor(system, scope, command, { task, network });
        slot = await slots.take();
        const run = await runConfined({ bwrap: [...(network?.join ?? []), bwrap], options, task, slot }, command);
        return { ...run, refusals: network?.refusals() ?? [] };
      } finally {
        slot?.free();
        network?.leave();
      }
    },
    async leave(worktree) {
      await entering;
      await found?.leave(worktree);
    },
    bounds: () => found?.bounds() ?? [],
  };
}

/** What a command shares with others. */
interface Held {
  task: Task;
  network: Network | null;
}

function optionsFor(system: System, scope: SandboxScope, command: SandboxCommand, held: Held): string[] {
  const { task, network } = held;
  const { worktree, cwd } = placesOf(scope, command);
  const mounts = scopeMounts(scope, system.nodeDir ? [system.nodeDir] : [], closedIn({ ...scope, worktree }));
  const environment = {
    ...sandboxEnvironment,
    ...cachesIn(worktree),
    ...(network && { ...network.environment, ...authoritiesIn(process.env) }),
    ...command.env,
    PATH: system.path,
    HOME: sandboxHome,
    TMPDIR: "/tmp",
  };
  return [
    ...isolation,
    ...(network ? [] : noNetwork),
    ...(task.user ? givenNamespace : ownNamespace),
    ...["--seccomp", String(filterDescriptor)],
    ...Object.entries(environment).flatMap(([name, value]) => ["--setenv", name, value]),
    ...system.args,
    ...(task.user ? withOpenParents(mounts) : mounts),
    "--remount-ro",
    "/",
    "--chdir",
    task.user ? "/" : cwd,
  ];
}
