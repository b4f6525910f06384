/**
 * The sandbox on Linux: bubblewrap with an allow-listed file system, no network, no capabilities, an environment of its own.
 *
 * Bounded for each command: wall time, output kept, processes and threads (not for root, whom the kernel exempts), open files, size of a
 * file, /tmp, shared memory, core dumps (none). Memory is not bounded; the command is the first that the kernel kills when it runs out.
 */
import { spawn } from "node:child_process";
import { accessSync, constants, realpathSync } from "node:fs";
import { delimiter, join, sep } from "node:path";
import type { Readable, Writable } from "node:stream";
import { UacError } from "#core/errors.ts";
import type { Sandbox, SandboxCommand, SandboxRun, SandboxScope } from "#ports/sandbox.ts";
import { boundedOutput } from "./bounded-output.ts";
import { type System, sandboxHome, scopeMounts, systemMounts } from "./mounts.ts";

/** Between the request to end and the end. */
const graceMs = 2_000;
/** For a pipe that stays open after everything was killed: a process that the kernel cannot end at once. */
const reapMs = 5_000;
const checkMs = 10_000;
/** `--disable-userns` and `--size` came with it. */
const oldestVersion = [0, 8] as const;

const isolation = [
  ...["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--disable-userns"],
  ...["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv"],
];

/**
 * Outside. Its `cat` gives the command a true pipe: Node's are sockets, on which opening /dev/stdout fails. Descriptors that the factory
 * itself inherited are closed: an open file is a way out.
 */
const outside = `exec > >(exec cat 3>&- 4<&-)
for fd in /proc/self/fd/*; do fd=\${fd##*/}; ((fd > 4 && fd < 255)) && eval "exec $fd>&-"; done
exec "$@"`;

/**
 * Inside. Processes (-u) are counted only within the user namespace when the limit is set here. -n: open files. -f: size of a file, in
 * blocks of 1024 bytes, so 4 GB. -c: core dumps. The score makes the command, not the factory, what an empty memory kills.
 */
const inside = `exec 2>&1
ulimit -c 0 -n 16384 -f 4194304 -u 2048
echo 1000 > /proc/self/oom_score_adj
exec /bin/bash -c "$1"`;

/**
 * @param options.bwrap the program; looked up on PATH otherwise
 * @param options.nodeDir a Node's package directory (with `bin/node`); by default that of the running one
 */
export function bubblewrap(options: { bwrap?: string; nodeDir?: string } = {}): Sandbox {
  let version = "";
  let ready: Promise<Ready> | undefined;

  interface Ready {
    bwrap: string;
    system: System;
  }

  async function prepare(): Promise<Ready> {
    if (process.platform !== "linux") {
      throw unavailable(`bubblewrap confines commands on Linux only, and this is ${process.platform}`, "Run the factory on Linux");
    }
    const bwrap = findProgram(options.bwrap ?? "bwrap");
    if (!bwrap) throw unavailable("bubblewrap is not installed", "Install it (apt install bubblewrap, dnf install bubblewrap)");
    const seen = await collect(bwrap, ["--version"]);
    version = /(\d+)\.(\d+)[.\d]*/.exec(seen.output)?.[0] ?? "";
    const [major = 0, minor = 0] = version.split(".").map(Number);
    if (major === oldestVersion[0] && minor < oldestVersion[1]) {
      throw unavailable(`bubblewrap ${version || "of unknown version"} is too old`, `Install ${oldestVersion.join(".")} or newer`);
    }
    const system = systemMounts(options.nodeDir);
    const trial = await collect(bwrap, [...isolation, ...system.args, "/bin/bash", "-c", "true"]);
    if (trial.code !== 0) {
      throw unavailable(
        `bubblewrap may not confine here: ${trial.output.trim().slice(-300)}`,
        "Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0; on Ubuntu an AppArmor profile " +
          "for bwrap, from the package apparmor-profiles)",
      );
    }
    return { bwrap, system };
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
    async run(scope, command) {
      if (scope.network.length > 0) {
        throw unavailable(
          `the sandbox cannot let ${scope.network.join(", ")} through: it has no network at all`,
          "Take the hosts out of the order",
        );
      }
      const { bwrap, system } = await prepared();
      return runCommand(bwrap, argumentsFor(system, scope, command), command);
    },
  };
}

function argumentsFor(system: System, scope: SandboxScope, command: SandboxCommand): string[] {
  const worktree = realpathSync(scope.worktree);
  const cwd = realpathSync(command.cwd);
  if (cwd !== worktree && !cwd.startsWith(worktree + sep)) {
    throw new UacError("bad_input", "The command was to run outside the worktree; give a directory inside it.");
  }
  const environment = { ...command.env, PATH: system.path, HOME: sandboxHome, TMPDIR: "/tmp" };
  return [
    ...isolation,
    ...Object.entries(environment).flatMap(([name, value]) => ["--setenv", name, value]),
    ...system.args,
    ...scopeMounts(scope, system.nodeDir ? [system.nodeDir] : []),
    "--remount-ro",
    "/",
    "--chdir",
    cwd,
  ];
}

function runCommand(bwrap: string, args: string[], command: SandboxCommand): Promise<SandboxRun> {
  const started = performance.now();
  const outcome = boundedOutput(command.maxOutput);
  const complaints = boundedOutput(4_096);
  const status = boundedOutput(4_096);
  const elapsed = () => Math.round(performance.now() - started);
  if (command.signal?.aborted) {
    return Promise.resolve({ exitCode: null, timedOut: false, output: "", truncated: false, durationMs: 0 });
  }
  return new Promise((resolve, reject) => {
    // The arguments go through a pipe, and the own environment is empty: /proc/1 inside, and `ps` outside, show both.
    const words = [bwrap, "--json-status-fd", "3", "--args", "4", "--", "/bin/bash", "-c", inside, "bash", command.command];
    const child = spawn("/bin/bash", ["-c", outside, "bash", ...words], {
      env: {},
      cwd: "/",
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
      // A session of its own: an interrupt typed at the factory's terminal is the factory's to handle.
      detached: true,
    });
    const [, stdout, stderr, statusPipe, argsPipe] = child.stdio as [null, Readable, Readable, Readable, Writable];
    stdout.on("data", outcome.push);
    stderr.on("data", complaints.push);
    statusPipe.on("data", status.push);
    argsPipe.on("error", () => {}); // bwrap ended before it read them: its own complaint says why
    argsPipe.end(args.map((arg) => `${arg}\0`).join(""));

    let timedOut = false;
    let stopping = false;
    let settled = false;
    const timers: NodeJS.Timeout[] = [];

    const signalInside = (signal: NodeJS.Signals) => {
      const inner = /"child-pid":\s*(\d+)/.exec(status.read().output)?.[1];
      // The namespace's first process ignores SIGTERM, and takes everything in it along on SIGKILL. `cat` is spared, to hand on what it has.
      if (inner) send(signal === "SIGKILL" ? Number(inner) : -Number(inner), signal);
      else send(-(child.pid ?? 0), signal);
    };
    const stop = () => {
      if (stopping) return;
      stopping = true;
      signalInside("SIGTERM");
      timers.push(setTimeout(() => signalInside("SIGKILL"), graceMs));
      timers.push(setTimeout(finish, graceMs + reapMs, null));
    };
    const onTimeout = () => {
      timedOut = true;
      stop();
    };
    timers.push(setTimeout(onTimeout, command.timeoutMs));
    command.signal?.addEventListener("abort", stop, { once: true });

    function finish(code: number | null) {
      if (settled) return;
      settled = true;
      for (const timer of timers) clearTimeout(timer);
      command.signal?.removeEventListener("abort", stop);
      for (const stream of [stdout, stderr, statusPipe]) stream.destroy();
      const ended = /"exit-code":\s*(\d+)/.exec(status.read().output)?.[1];
      if (!stopping && ended === undefined) {
        const why = complaints.read().output.trim() || `it ended with ${code}`;
        reject(unavailable(`bubblewrap could not start the command: ${why.slice(-500)}`, "See whether the worktree is still there"));
        return;
      }
      resolve({ exitCode: stopping ? null : Number(ended), timedOut, ...outcome.read(), durationMs: elapsed() });
    }
    child.once("error", (cause) => {
      settled = true;
      for (const timer of timers) clearTimeout(timer);
      reject(unavailable(`/bin/bash could not be started: ${cause.message}`, "Install bash"));
    });
    child.once("close", finish);
  });
}

/** A short host program's output and exit code. */
function collect(program: string, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const output = boundedOutput(4_096);
    const child = spawn(program, args, { env: {}, cwd: "/", stdio: ["ignore", "pipe", "pipe"], timeout: checkMs, killSignal: "SIGKILL" });
    child.stdout.on("data", output.push);
    child.stderr.on("data", output.push);
    child.once("error", (error) => resolve({ code: null, output: error.message }));
    child.once("close", (code) => resolve({ code, output: output.read().output }));
  });
}

function findProgram(name: string): string | null {
  const candidates = name.includes("/") ? [name] : (process.env.PATH ?? "").split(delimiter).map((dir) => join(dir, name));
  for (const path of candidates) {
    try {
      accessSync(path, constants.X_OK);
      return realpathSync(path);
    } catch {
      // Not here: the next one.
    }
  }
  return null;
}

function send(pid: number, signal: NodeJS.Signals) {
  // 0 and -1 would be the factory's own group, and everybody.
  if (!Number.isInteger(pid) || Math.abs(pid) < 2) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}

function unavailable(why: string, remedy: string) {
  return new UacError("sandbox_unavailable", `No sandbox: ${why}. ${remedy}, or set SANDBOX=none to work without commands.`);
}
