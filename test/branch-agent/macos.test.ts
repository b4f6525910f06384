/**
 * How the driver for macOS starts, watches and ends commands, and when it refuses to. Run on Linux, under a stand-in for sandbox-exec
 * (`seatbelt-stand-in.mjs`): nothing here is tried on macOS.
 */
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { SandboxCommand, SandboxScope } from "#ports/sandbox.ts";
import { type Listed, membersAmong } from "../../branch-agent/sandbox/family.ts";
import { fairShare, type Limits } from "../../branch-agent/sandbox/limits.ts";
import { type MacosOptions, seatbelt } from "../../branch-agent/sandbox/macos.ts";

const runtime = "@anthropic-ai/sandbox-runtime/dist/sandbox/macos-sandbox-utils.js";
let root: string;
let worktree: string;
let program: string;
let scope: SandboxScope;
let sandbox: ReturnType<typeof seatbelt>;

beforeAll(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "macos-test-")));
  worktree = join(root, "worktree");
  mkdirSync(worktree);
  writeFileSync(join(worktree, ".git"), "gitdir: /nowhere\n");
  writeFileSync(join(worktree, ".env"), "PASSWORD=canary");
  const shut = join(root, "shut");
  writeFileSync(shut, "", { mode: 0 });
  const words = `"${process.execPath}" "${join(import.meta.dirname, "seatbelt-stand-in.mjs")}" "${shut}" "$@"`;
  program = script("sandbox-exec", `mapfile -d '' -t words < <(${words}); exec "\${words[@]}"`);
  scope = { worktree, readOnly: [], masked: [], network: [] };
  sandbox = seatbelt({ program });
  await sandbox.check();
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

function script(name: string, text: string): string {
  const path = join(root, name);
  writeFileSync(path, `#!/bin/bash\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

const bounds = { timeoutMs: 20_000, env: {}, maxOutput: 100_000 };
function run(command: string, more: Partial<SandboxCommand> = {}, inScope: Partial<SandboxScope> = {}, by = sandbox) {
  return by.run({ ...scope, ...inScope }, { command, cwd: worktree, ...bounds, ...more });
}
const bounded = (limits: Partial<Limits>) => seatbelt({ program, limits: { ...fairShare(1), ...limits } });

/** Processes on this machine whose command line holds `mark`. */
function processesWith(mark: string): string[] {
  const list = execFileSync("ps", ["-eo", "pid=,stat=,args="], { encoding: "utf8" }).split("\n");
  return list.filter((line) => line.includes(mark) && !/^\s*\d+ Z/.test(line));
}

describe("a command", () => {
  it("says what it says, ends as it ends, and has an environment of its own", async () => {
    process.env.UAC_TEST_CANARY = "canary";
    const result = await run(`echo "it's $A"; echo two >&2; env; cat .env; exit 3`, { env: { A: "me" } });
    delete process.env.UAC_TEST_CANARY;
    expect(result).toMatchObject({ exitCode: 3, timedOut: false, truncated: false, refusals: [] });
    expect(result.output).toMatch(/^it's me\ntwo\n/);
    expect(result.output).not.toContain("canary");
    expect(result.output).not.toMatch(/SANDBOX_RUNTIME|JAVA_TOOL_OPTIONS|proxy/i);
    // As a shell tells of it.
    expect(await run("kill -9 $$")).toMatchObject({ exitCode: 137 });
  });

  it("reads and writes as its profile says", async () => {
    writeFileSync(join(root, "secret"), "canary");
    const tried = await run(`cat ../secret .env; echo x > ../other; echo x > .git; echo kept > file; cat file`);
    expect(tried.output).not.toContain("canary");
    expect(tried.output.trim().split("\n").at(-1)).toBe("kept");
    expect(existsSync(join(root, "other"))).toBe(false);
    expect(readFileSync(join(worktree, ".git"), "utf8")).toBe("gitdir: /nowhere\n");
    expect((await run("echo x > file", {}, { writable: false })).exitCode).not.toBe(0);
  });

  it("has a home and a temporary directory that go with it", async () => {
    const { output } = await run(`echo x > "$HOME/x" && echo x > "$TMPDIR/x" && echo "$HOME" && echo "$TMPDIR"`);
    const places = output.trim().split("\n");
    expect(places).toHaveLength(2);
    for (const place of places) expect([place, existsSync(place)]).toEqual([place, false]);
    // The next has nothing of it, nor have two at once of each other's.
    const next = await Promise.all([1, 2].map(() => run(`ls "$HOME" "$TMPDIR" | grep x; echo "$HOME"; sleep 0.3`)));
    for (const { output } of next) expect(output).not.toMatch(/^x$/m);
    expect(new Set(next.map((each) => each.output)).size).toBe(2);
  });

  it("gets no descriptor of the factory's, and nothing to run outside by its environment", async () => {
    const outside = join(root, "outside");
    const env = { BASH_ENV: script("start", `echo x > "${outside}"`), ENV: join(root, "start") };
    const { output } = await run("ls /proc/self/fd | tr '\\n' ' '", { env });
    expect(output).toMatch(/0 1 2 3 $/);
    expect(existsSync(outside)).toBe(false);
  });

  it("does not begin where it is stopped before, or outside the worktree", async () => {
    expect(await run("echo x", { signal: AbortSignal.abort() })).toMatchObject({ exitCode: null, output: "" });
    await expect(run("true", { cwd: root })).rejects.toMatchObject({ code: "bad_input" });
  });

  it("reaches the hosts that are named, through the factory, and each task only its own door", async () => {
    const web: Server = createServer((_, answer) => answer.end("the web"));
    await new Promise<void>((listening) => void web.listen(0, "127.0.0.1", listening));
    const outside: MacosOptions["outside"] = {
      resolve: async () => ["93.184.215.14"],
      dial: () => connect({ host: "127.0.0.1", port: (web.address() as AddressInfo).port }),
    };
    const networked = seatbelt({ program, outside });
    const curl = "curl -s http://good.example/; curl -s http://bad.example/; echo $http_proxy";
    const result = await run(curl, {}, { network: ["good.example:80"] }, networked);
    web.close();
    expect(result.output).toMatch(/^the web.*bad\.example:80 is not among the hosts/);
    expect(result.refusals).toEqual([expect.stringContaining("bad.example:80")]);
    expect(result.output).toMatch(/http:\/\/127\.0\.0\.1:\d+\n$/);
  });
});

describe("the end of a command", () => {
  it("comes at the time limit", async () => {
    const mark = `41${process.pid}`;
    expect(await run(`sleep ${mark}`, { timeoutMs: 300 })).toMatchObject({ exitCode: null, timedOut: true });
    expect(processesWith(`sleep ${mark}`)).toEqual([]);
  });

  it("is asked for when it is stopped, then forced on all of it", async () => {
    // bubblewrap would end at once when asked, before what runs in it: this command is confined by nothing.
    const bare = join(root, "bare");
    const unconfined = seatbelt({ program: script("sometimes", `[ -e "${bare}" ] && shift 2 && exec "$@"; exec "${program}" "$@"`) });
    await unconfined.check();
    writeFileSync(bare, "");
    const stopped = (command: string) => {
      const stop = new AbortController();
      return run(command, { signal: stop.signal, onOutput: () => stop.abort() }, {}, unconfined);
    };
    const asked = await stopped("trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    expect(asked).toMatchObject({ exitCode: null, timedOut: false, output: expect.stringMatching(/^ready\n(Terminated\n)?asked\n$/) });
    const mark = `42${process.pid}`;
    const stubborn = await stopped(`trap '' TERM; sleep ${mark} & echo ready; sleep ${mark}`);
    expect(stubborn).toMatchObject({ exitCode: null, timedOut: false, output: "ready\n" });
    expect(processesWith(`sleep ${mark}`)).toEqual([]);
  });

  it("takes along what it left behind, in its group or seen outside of it", async () => {
    const mark = `43${process.pid}`;
    const { exitCode } = await run(`sleep ${mark} & setsid sleep ${mark} < /dev/null & sleep 1.2`);
    expect(exitCode).toBe(0);
    expect(processesWith(`sleep ${mark}`)).toEqual([]);
  });

  it("comes with the factory's", async () => {
    const mark = `44${process.pid}`;
    const text = `import { seatbelt } from "./branch-agent/sandbox/macos.ts";
      seatbelt({ program: ${JSON.stringify(program)} }).run(${JSON.stringify(scope)},
        ${JSON.stringify({ ...bounds, command: `sleep ${mark}`, cwd: worktree })});`;
    const factory = spawn(process.execPath, ["--input-type=module", "-e", text], { stdio: "ignore" });
    const begun = () => processesWith(`sleep ${mark}`).some((line) => /^\s*\d+ \S+\s+sleep/.test(line));
    for (const until = performance.now() + 10_000; !begun() && performance.now() < until; ) await sleep(20);
    expect(begun()).toBe(true);
    factory.kill("SIGKILL");
    for (const until = performance.now() + 10_000; processesWith(mark).length > 0 && performance.now() < until; ) await sleep(20);
    expect(processesWith(mark)).toEqual([]);
  });

  it("is told with the bound that was hit: output, memory, size of a file, the worktree with what is temporary", async () => {
    expect(await run("yes", {}, {}, bounded({ output: 1e6 }))).toMatchObject({
      ...{ exitCode: null, timedOut: false, limit: expect.stringContaining("it printed more than 1 MB") },
    });
    const hungry = `"${process.execPath}" -e 'const held = []; setInterval(() => held.push(Buffer.alloc(2e7, 1)), 10)'`;
    expect(await run(hungry, {}, {}, bounded({ memory: 400e6 }))).toMatchObject({ limit: expect.stringContaining("out of memory") });
    expect(await run("head -c 3000000 /dev/zero > big", {}, {}, bounded({ fileSize: 1e6 }))).toMatchObject({
      limit: expect.stringContaining("a file became too large"),
    });
    const filler = `while :; do head -c 4000000 /dev/zero > "$TMPDIR/$RANDOM"; sleep 0.02; done`;
    expect(await run(filler, {}, {}, bounded({ disk: 40e6 }))).toMatchObject({ limit: expect.stringContaining("the worktree grew to") });
  });

  it("leaves nothing of a task's when it is left", async () => {
    const mine = () => readdirSync(tmpdir()).filter((name) => name.includes(`-${process.pid}-commands-`));
    const held = () => mine().flatMap((name) => readdirSync(join(tmpdir(), name)));
    const before = held().length;
    const short = seatbelt({ program });
    await run("true", {}, {}, short);
    expect(held()).toHaveLength(before + 1);
    await short.leave(worktree);
    await short.leave(worktree);
    expect(held()).toHaveLength(before);
  });
});

describe("refuses to run anything", () => {
  const refusal = (message: RegExp) => ({ code: "sandbox_unavailable", message: expect.stringMatching(message) });

  it("on another system than macOS", async () => {
    await expect(seatbelt().check()).rejects.toMatchObject(refusal(/Seatbelt confines commands on macOS only, and this is linux/));
    await expect(run("true", {}, {}, seatbelt())).rejects.toMatchObject(refusal(/macOS only/));
  });

  it("without sandbox-exec", async () => {
    await expect(seatbelt({ program: join(root, "nothing") }).check()).rejects.toMatchObject(refusal(/sandbox-exec is not there/));
  });

  it("without the runtime, and tells how to get it", async () => {
    vi.doMock(runtime, () => {
      throw new Error("not found");
    });
    try {
      await expect(seatbelt({ program }).check()).rejects.toMatchObject(
        refusal(/optional package, is not installed. Run `npm ci`, with optional packages/),
      );
    } finally {
      vi.doUnmock(runtime);
    }
  });

  it.each<[string, string, RegExp]>([
    ["a profile is not taken", 'echo "sandbox_apply: Operation not permitted" >&2; exit 71', /did not start the command: sandbox_apply/],
    ["nothing is confined", 'shift 2; exec "$@"', /does not confine here as it should: it may read what is not its own/],
    ["a command runs, but not as it should", 'shift 2; cd /; exec "$@"', /does not confine here as it should/],
  ])("where %s, and tries again", async (_, text, message) => {
    const other = script(`other-${text.length}`, text);
    const tried = seatbelt({ program: other });
    await expect(tried.check()).rejects.toMatchObject(refusal(message));
    await expect(run("echo ran > ran", {}, {}, tried)).rejects.toMatchObject(refusal(message));
    expect(existsSync(join(worktree, "ran"))).toBe(false);
    rmSync(other);
    writeFileSync(other, readFileSync(program));
    chmodSync(other, 0o755);
    await expect(tried.check()).resolves.toBeUndefined();
  });

  it("says what it bounds, and what not", () => {
    expect(seatbelt().bounds()).toEqual([]);
    expect(sandbox.bounds().join("\n")).toMatch(/memory of a command.*not bounded: CPU.*may outlive its command.*no loopback/s);
    expect(sandbox.name).toMatch(/^seatbelt/);
  });
});

describe("a command's processes", () => {
  const one = (pid: number, parent: number, group: number, started = "then"): Listed => ({ pid, parent, group, started, memory: 1 });
  const among = (all: Listed[], known: [number, string][] = []) => membersAmong(all, 10, new Map(known)).map(({ pid }) => pid);

  it("are its group's, and their descendants in whatever group", () => {
    expect(among([one(1, 0, 1), one(10, 1, 10), one(11, 10, 10), one(12, 11, 12), one(13, 12, 13), one(20, 1, 20)])).toEqual([
      10, 11, 12, 13,
    ]);
  });

  it("are known once seen, whoever their parent is now; a number given anew is somebody else's", () => {
    expect(among([one(12, 1, 12), one(13, 12, 12)], [[12, "then"]])).toEqual([12, 13]);
    expect(among([one(12, 1, 12, "later")], [[12, "then"]])).toEqual([]);
  });
});
