/** The real bubblewrap against what a command may try. Skipped nowhere on Linux: without a sandbox these tests must fail. */
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SandboxCommand, SandboxScope } from "#ports/sandbox.ts";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { sandboxEnvironment } from "../../branch-agent/sandbox/environment.ts";
import { noSandbox } from "../../branch-agent/sandbox/none.ts";

const sandbox = bubblewrap();
const canary = `canary-${process.pid}-${Date.now()}`;
let home: string;
let worktree: string;
let scope: SandboxScope;

beforeAll(async () => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "sandbox-test-")));
  worktree = join(home, "worktree");
  mkdirSync(worktree);
  writeFileSync(join(home, "secret"), canary);
  writeFileSync(join(worktree, ".git"), "gitdir: /nowhere\n");
  scope = { worktree, readOnly: [], masked: [], network: [] };
  process.env.UAC_TEST_CANARY = canary;
  await sandbox.check();
});

afterAll(() => {
  delete process.env.UAC_TEST_CANARY;
  rmSync(home, { recursive: true, force: true });
});

function run(command: string, more: Partial<SandboxCommand> = {}, inScope: Partial<SandboxScope> = {}) {
  const usual = { command, cwd: worktree, timeoutMs: 20_000, env: sandboxEnvironment, maxOutput: 100_000 };
  return sandbox.run({ ...scope, ...inScope }, { ...usual, ...more });
}

/** Processes on this machine, outside any sandbox's own view, whose command line holds `mark`. */
function processesWith(mark: string): string[] {
  const list = execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" }).split("\n");
  return list.filter((line) => line.includes(mark));
}

/** Of the processes `sleep <mark>` themselves. */
function sleepersOf(mark: string): number[] {
  return processesWith(`sleep ${mark}`).flatMap((line) => {
    const pid = /^\s*(\d+) sleep/.exec(line)?.[1];
    return pid ? [Number(pid)] : [];
  });
}

/** At this very moment: looked at without giving anything else time to happen. */
function lives(pid: number): boolean {
  try {
    return !/\) [ZX] [^)]*$/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

async function goneWithin(mark: string, ms: number) {
  for (const until = performance.now() + ms; performance.now() < until; await sleep(20)) if (processesWith(mark).length === 0) return [];
  return processesWith(mark);
}

describe("work that must be possible", () => {
  it("runs in the worktree with this Node, and the name tells the version", async () => {
    const result = await run("pwd; node --version; echo made > made; echo out > /dev/stdout; echo err > /dev/stderr");
    expect(result).toMatchObject({ exitCode: 0, timedOut: false, truncated: false });
    expect(result.output).toBe(`${worktree}\n${process.version}\nout\nerr\n`);
    expect(readFileSync(join(worktree, "made"), "utf8")).toBe("made\n");
    expect(sandbox.name).toMatch(/^bubblewrap \d+\.\d+/);
  });

  it("gives the exit code, of a failure and of a signal", async () => {
    expect((await run("exit 7")).exitCode).toBe(7);
    expect((await run("kill -9 $$")).exitCode).toBe(137);
    expect((await run("no-such-program")).exitCode).toBe(127);
  });

  it("has npm, temporary files, a home and a loopback of its own", async () => {
    const listens = `const s=require("net").createServer(c=>c.end("own"));s.listen(0,"127.0.0.1",()=>require("net").connect(s.address().port,"127.0.0.1").on("data",d=>{console.log(String(d));process.exit()}))`;
    const result = await run(`npm --version && echo a > /tmp/a && echo b > ~/b && cat /tmp/a ~/b && node -e '${listens}'`);
    expect(result.output).toMatch(/^\d+\.\d+\.\d+\na\nb\nown\n$/);
  });

  it("keeps nothing in memory file systems from one command to the next", async () => {
    await run("echo left > /tmp/left");
    expect((await run("cat /tmp/left")).exitCode).toBe(1);
  });

  it("runs several at once, each with its own result", async () => {
    const results = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => run(`echo ${n} > own-${n}; cat own-${n}; exit ${n}`)));
    expect(results.map(({ output, exitCode }) => [output, exitCode])).toEqual([1, 2, 3, 4, 5, 6].map((n) => [`${n}\n`, n]));
  });

  it("has nothing on standard input", async () => {
    expect(await run("cat; echo end")).toMatchObject({ output: "end\n", exitCode: 0 });
  });
});

describe("what must stay outside", () => {
  it("does not see the machine's files", async () => {
    const { output } = await run(
      `for f in /etc/shadow /root /home/* /var /run /srv /boot /sys "${homedir()}" "${home}/secret" /proc/1/root/etc/shadow; do [ -e "$f" ] && echo "SEEN $f"; done; cat /etc/shadow; true`,
    );
    expect(output).not.toContain("SEEN");
    expect(output).not.toContain("root:");
  });

  it("finds the canary neither in files nor in any process's environment or command line", async () => {
    const { output } = await run(
      `cat ../secret; env; cat /proc/*/environ /proc/*/cmdline 2>&1 | tr '\\0' '\\n'; grep -rs "${canary.slice(0, -1)}" / --include=secret; true`,
    );
    expect(output).not.toContain(`${canary}\n`);
    expect(output).not.toContain("UAC_TEST_CANARY");
  });

  it("gets only the sandbox's own environment and what it is given", async () => {
    const { output } = await run("env | cut -d= -f1 | sort", { env: { GIVEN: "1" } });
    const own = ["CARGO_HOME", "GOMODCACHE", "HOME", "PATH", "PWD", "SHLVL", "TMPDIR", "_", ...Object.keys(sandboxEnvironment)];
    expect(new Set(output.trim().split("\n"))).toEqual(new Set(["GIVEN", ...own]));
  });

  it("inherits no open files of the factory", async () => {
    const { output } = await run("ls /proc/self/fd");
    expect(
      output
        .trim()
        .split("\n")
        .filter((fd) => Number(fd) > 3),
    ).toEqual([]);
  });

  it("writes nowhere but into the worktree", async () => {
    const { output } = await run(
      `for d in / /usr /usr/local/bin /etc /dev /proc /opt "$(dirname "$(dirname "$(command -v node)")")"; do touch "$d/uac-x" 2>/dev/null && echo "WROTE $d"; done; true`,
    );
    expect(output).toBe("");
    await run(`touch "${home}/beside" /tmp/beside`);
    expect([join(home, "beside"), "/tmp/beside"].filter((path) => existsSync(path))).toEqual([]);
  });

  it("writes not even there, where the scope says so", async () => {
    writeFileSync(join(worktree, "kept"), "as it was\n");
    const command =
      "for f in kept made sub/x; do (echo x > $f) 2>/dev/null && echo WROTE $f; done; rm -f kept; mkdir d; cat kept; echo t > /tmp/t && cat /tmp/t";
    const { output } = await run(command, {}, { writable: false });
    expect(output).not.toContain("WROTE");
    expect(output).toMatch(/as it was\nt\n$/);
    expect(readFileSync(join(worktree, "kept"), "utf8")).toBe("as it was\n");
  });

  it("sets nothing of the kernel's, even where the factory runs as root", async () => {
    const { output } = await run(
      'cat /proc/kcore /proc/kmsg 2>/dev/null | head -c 1; find /proc/sys /proc/irq /proc/bus /proc/fs /proc/acpi -type f 2>/dev/null | while read -r f; do [ -w "$f" ] && echo "$f"; done; [ -w /proc/sysrq-trigger ] && echo sysrq; true',
    );
    expect(output).toBe("");
  });

  it("has no capabilities and can make no namespace to get some", async () => {
    const { output, exitCode } = await run("grep -E '^Cap' /proc/self/status; unshare --user --map-root-user mount -t tmpfs none /tmp");
    expect(output.match(/^Cap\w+:\s0+$/gm)).toHaveLength(5);
    expect(exitCode).not.toBe(0);
  });

  it("cannot see or end the factory's processes", async () => {
    const victim = spawn("sleep", ["30"]);
    try {
      const { output } = await run(`kill -9 ${victim.pid}; kill -9 ${process.pid}; ps -eo args= 2>/dev/null; true`);
      expect(output.match(/No such process/g)).toHaveLength(2);
      expect(output).not.toContain("sleep 30");
      expect(victim.exitCode).toBeNull();
    } finally {
      victim.kill("SIGKILL");
    }
  });

  it("leaves the worktree's .git as it is", async () => {
    const { output } = await run("echo 'gitdir: /tmp/mine' > .git; rm -f .git; mv .git x; ln -sf /tmp .git; cat .git");
    expect(output.trim().split("\n").at(-1)).toBe("gitdir: /nowhere");
    expect(readFileSync(join(worktree, ".git"), "utf8")).toBe("gitdir: /nowhere\n");
  });

  it("shows what is read-only, hides what is masked, and covers tokens in a shown git directory", async () => {
    const shown = join(home, "repo.git");
    mkdirSync(join(shown, "modules", "sub"), { recursive: true });
    writeFileSync(join(shown, "HEAD"), "ref: refs/heads/main\n");
    writeFileSync(join(shown, "config"), `[remote "origin"]\n url = https://me:${canary}@host/x\n`);
    writeFileSync(join(shown, "modules", "sub", "config"), canary);
    writeFileSync(join(worktree, ".env"), canary);
    mkdirSync(join(worktree, "keys"));
    writeFileSync(join(worktree, "keys", "one"), canary);
    symlinkSync("keys/one", join(worktree, "link"));
    const { output } = await run(
      `cat ${shown}/HEAD; cat ${shown}/config ${shown}/modules/sub/config .env keys/one link; ls -A keys; echo x > ${shown}/HEAD; echo x > keys/two; true`,
      {},
      { readOnly: [shown], masked: [join(worktree, ".env"), join(worktree, "keys"), join(worktree, "not-there")] },
    );
    expect(output).toContain("ref: refs/heads/main");
    expect(output).not.toContain(canary);
    expect(readFileSync(join(shown, "HEAD"), "utf8")).toBe("ref: refs/heads/main\n");
    expect(readFileSync(join(worktree, ".env"), "utf8")).toBe(canary);
  });

  it("refuses to run elsewhere than in the worktree, and to open the whole disk", async () => {
    symlinkSync(home, join(worktree, "out"));
    await expect(run("true", { cwd: join(worktree, "out") })).rejects.toMatchObject({ code: "bad_input" });
    await expect(run("true", {}, { worktree: "/" })).rejects.toMatchObject({ code: "bad_input" });
  });
});

describe("the network", () => {
  let server: Server;
  let hits = 0;
  beforeAll(async () => {
    server = createServer((_, response) => {
      hits++;
      response.end("reached");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => server.close());

  it("reaches neither a server of this machine, nor metadata, nor a name server", async () => {
    const { port } = server.address() as AddressInfo;
    const { output } = await run(
      `for a in 127.0.0.1/${port} 169.254.169.254/80 1.1.1.1/53; do timeout 5 bash -c "exec 3<>/dev/tcp/$a" 2>/dev/null && echo "REACHED $a"; done; getent hosts example.com && echo RESOLVED; true`,
    );
    expect(output).toBe("");
    expect(hits).toBe(0);
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe("reached");
  });
});

describe("bounds", () => {
  it("ends the whole tree at the time limit, whatever ignores or leaves its group", async () => {
    const mark = `31${process.pid}`;
    const result = await run(
      `trap '' TERM; setsid sleep ${mark} & (trap '' TERM HUP; sleep ${mark}) & nohup sleep ${mark} & echo begun; while :; do sleep ${mark}; done`,
      {
        timeoutMs: 1_000,
      },
    );
    expect(result).toMatchObject({ exitCode: null, timedOut: true });
    expect(result.output).toContain("begun");
    expect(await goneWithin(`sleep ${mark}`, 3_000)).toEqual([]);
  });

  it("asks before it kills", async () => {
    const result = await run("trap 'echo asked; exit' TERM; echo begun; sleep 60 & wait", { timeoutMs: 1_000 });
    expect(result.output).toBe("begun\nasked\n");
    expect(result).toMatchObject({ exitCode: null, timedOut: true });
  });

  it("stops on abort, also before it began", async () => {
    const mark = `32${process.pid}`;
    const abort = new AbortController();
    const running = run(`sleep ${mark}`, { signal: abort.signal });
    while (processesWith(`sleep ${mark}`).length === 0) await sleep(20);
    abort.abort();
    expect(await running).toMatchObject({ exitCode: null, timedOut: false });
    expect(await goneWithin(`sleep ${mark}`, 3_000)).toEqual([]);
    expect(await run("echo never > never", { signal: abort.signal })).toMatchObject({ exitCode: null, output: "" });
    expect((await run("cat never")).exitCode).toBe(1);
  });

  it("leaves nothing running when the command ends by itself", async () => {
    const mark = `33${process.pid}`;
    expect((await run(`setsid nohup sleep ${mark} & disown; echo done`)).output).toBe("done\n");
    expect(await goneWithin(`sleep ${mark}`, 3_000)).toEqual([]);
  });

  it.each([
    [
      "asks for an end and gets none",
      "trap '' TERM; sh -c 'trap \"\" TERM; sleep MARK; sleep MARK' & echo begun; while :; do sleep MARK; done",
    ],
    ["became a daemon", "(setsid sh -c 'trap \"\" TERM HUP; (sleep MARK &) ; sleep MARK' >/dev/null 2>&1 &) ; echo begun; sleep MARK"],
  ])("has ended everything by the time it resolves: a command that %s", async (_, command) => {
    const mark = `35${process.pid}`;
    const abort = new AbortController();
    const running = run(command.replaceAll("MARK", mark), { signal: abort.signal });
    while (sleepersOf(mark).length < 2) await sleep(20);
    const pids = sleepersOf(mark);
    abort.abort();
    const { output } = await running;
    expect(pids.filter(lives)).toEqual([]);
    expect(output).toBe("begun\n");
    expect(processesWith(mark)).toEqual([]);
  });

  it.each([1, 2, 3])("leaves no daemon alive when the command ends by itself: %i", async (n) => {
    const mark = `36${n}${process.pid}`;
    const daemons = 60;
    const running = run(
      `for i in $(seq ${daemons}); do setsid nohup sleep ${mark} & done; until [ -e go-${n} ]; do sleep 0.02; done; echo done`,
    );
    while (sleepersOf(mark).length < daemons) await sleep(20);
    const pids = sleepersOf(mark);
    writeFileSync(join(worktree, `go-${n}`), "");
    const { output } = await running;
    expect(pids.filter(lives)).toEqual([]);
    expect(output).toBe("done\n");
  });

  it("dies with the factory", async () => {
    const mark = `34${process.pid}`;
    const script = `import { bubblewrap } from "./branch-agent/sandbox/bubblewrap.ts";
      bubblewrap().run({ worktree: "${worktree}", readOnly: [], masked: [], network: [] },
        { command: "sleep ${mark}", cwd: "${worktree}", timeoutMs: 60000, env: {}, maxOutput: 100 });`;
    const factory = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" });
    while (sleepersOf(mark).length === 0) await sleep(20);
    factory.kill("SIGKILL");
    expect(await goneWithin(`sleep ${mark}`, 20_000)).toEqual([]);
  });

  it("keeps the head and the tail of endless output, in bounded memory", async () => {
    const before = process.memoryUsage().rss;
    const result = await run("echo first; timeout 1 yes; echo last", { maxOutput: 2_000 });
    expect(result.truncated).toBe(true);
    expect(result.output.startsWith("first\ny\n")).toBe(true);
    expect(result.output).toMatch(/… \d+ bytes left out …/);
    expect(Buffer.byteLength(result.output)).toBeLessThan(2_100);
    expect(process.memoryUsage().rss - before).toBeLessThan(150e6);
  });

  it("cuts at characters", async () => {
    const { output } = await run("for i in $(seq 2000); do printf 'äö€😀'; done", { maxOutput: 1_001 });
    expect(output).not.toContain("\uFFFD");
  });

  it("limits the size of a file and writes no core", async () => {
    const { output, exitCode } = await run("ulimit -c; ulimit -n; fallocate -l 5G big 2>/dev/null || truncate -s 5G big");
    expect(output.split("\n").slice(0, 2)).toEqual(["0", "16384"]);
    expect(exitCode).not.toBe(0);
  });
});

describe("when there is no sandbox", () => {
  it("says what to install, and runs nothing", async () => {
    const missing = bubblewrap({ bwrap: "/nowhere/bwrap" });
    await expect(missing.check()).rejects.toMatchObject({
      code: "sandbox_unavailable",
      message: expect.stringContaining("apt install bubblewrap"),
    });
    const command = { command: "touch unconfined", cwd: worktree, timeoutMs: 1_000, env: {}, maxOutput: 100 };
    await expect(missing.run(scope, command)).rejects.toMatchObject({ code: "sandbox_unavailable" });
    expect((await run("cat unconfined")).exitCode).toBe(1);
  });

  it("fails closed where bubblewrap may not make namespaces, or is too old", async () => {
    const fake = join(home, "bwrap");
    const as = (version: string) => {
      writeFileSync(
        fake,
        `#!/bin/sh\n[ "$1" = --version ] && echo "bubblewrap ${version}" && exit\necho "bwrap: No permissions to create a new namespace" >&2; exit 1\n`,
      );
      chmodSync(fake, 0o755);
      return bubblewrap({ bwrap: fake }).check();
    };
    await expect(as("0.9.0")).rejects.toMatchObject({ code: "sandbox_unavailable", message: expect.stringContaining("user namespaces") });
    await expect(as("0.6.1")).rejects.toMatchObject({ code: "sandbox_unavailable", message: expect.stringContaining("too old") });
  });

  it("refuses commands after an opt-out", async () => {
    const none = noSandbox();
    await none.check();
    const command = { command: "true", cwd: worktree, timeoutMs: 1_000, env: {}, maxOutput: 100 };
    await expect(none.run(scope, command)).rejects.toMatchObject({ code: "sandbox_unavailable" });
  });
});

describe.runIf(process.getuid?.() === 0)("as an unprivileged user", () => {
  it("confines all the same", () => {
    const nobody = 65534;
    const own = join(home, "own");
    mkdirSync(own);
    chownSync(own, nobody, nobody);
    chmodSync(home, 0o755);
    const script = `import { bubblewrap } from "./branch-agent/sandbox/bubblewrap.ts";
      const result = await bubblewrap().run({ worktree: "${own}", readOnly: [], masked: [], network: [] }, {
        command: "id -u; echo made > made; cat made; cat /etc/shadow; ls /root; touch /usr/x; kill -9 ${process.pid}; grep CapEff /proc/self/status",
        cwd: "${own}", timeoutMs: 20000, env: {}, maxOutput: 5000 });
      console.log(JSON.stringify(result));`;
    const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
      uid: nobody,
      gid: nobody,
      encoding: "utf8",
      env: { PATH: process.env.PATH },
    });
    const { exitCode, output } = JSON.parse(out);
    expect(exitCode).toBe(0);
    expect(output).toContain(`${nobody}\nmade\n`);
    expect(output).not.toContain("root:");
    expect(output).toMatch(/touch: cannot touch '\/usr\/x'/);
    expect(output).toMatch(/CapEff:\s0+\n/);
  });
});
