/** Commands in the background: their output piece by piece, their bounds, their end; and file tools beside one that swaps directories. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Entry } from "#ports/transcript.ts";
import { dir, hands, inAWorktree, put, ran, refusal, root, secret, worktree } from "./hands.ts";

inAWorktree();

let open: ReturnType<typeof hands>[] = [];
/** Hands that the test's end closes. */
function atWork(...args: Parameters<typeof hands>) {
  const call = hands(...args);
  open.push(call);
  return call;
}
afterEach(async () => {
  await Promise.all(open.map((call) => call.close()));
  open = [];
});

const idOf = (content: string) => /\[job (\S+):/.exec(content)?.[1] ?? "";
/** Process ids whose command line holds this. */
function processesWith(mark: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(mark);
    } catch {
      return false;
    }
  });
}
const patience = { timeout: 8000 };

describe("a job", () => {
  it("runs beside other tools, and each poll tells what is new, until its exit code", async () => {
    const call = atWork();
    const started = await call("bash", { command: "echo one; until [ -e go ]; do sleep 0.02; done; echo two; exit 3", background: true });
    expect(started.content).toMatch(/^one\n\[job \S+: running, \d+:\d\d\]$/);
    const id = idOf(started.content);
    expect((await call("bash", { command: "touch go" })).content).toMatch(/exit 0/);
    expect((await call("job", { id, action: "poll" })).content).toMatch(new RegExp(`^two\n\\[job ${id}: ended, exit 3, \\d+\\.\\d s\\]$`));
    expect((await call("job", { id, action: "poll" })).content).toMatch(/^\[job \S+: ended, exit 3/);
    expect(ran.map(({ exitCode }) => exitCode).sort()).toEqual([0, 3]);
  });

  it("shows the head and the tail of much output, and keeps all in a log", async () => {
    const call = atWork();
    const { content } = await call("bash", { command: "seq 1 5000", background: true });
    const id = idOf(content);
    const whole = content.includes("ended") ? content : content + (await call("job", { id, action: "poll" })).content;
    expect(whole).toMatch(/lines left out/);
    const log = /read "([^"]+)"/.exec(whole)?.[1] ?? "";
    expect((await call("read", { path: log, offset: 2_500, limit: 1 })).content).toMatch(/^ {2}2500\t2500\n/);
  });

  it("tells no secret in two halves", async () => {
    const call = atWork();
    const command = `printf ${secret.slice(0, 5)}; until [ -e more ]; do sleep 0.02; done; echo ${secret.slice(5)}; sleep 60`;
    const started = await call("bash", { command, background: true });
    expect(started.content).toMatch(/^\[job/);
    await call("bash", { command: "touch more" });
    const polled = await call("job", { id: idOf(started.content), action: "poll" });
    expect(polled.content).toMatch(/^\[SECRET\]\n\[job/);
  });

  it("ends with all of its processes when it is killed, when the run is over, and when the run is broken off", async () => {
    const stop = new AbortController();
    const call = atWork({}, { signal: stop.signal });
    const command = (n: number) => `setsid sleep 4${process.pid}.${n} & sleep 4${process.pid}.${n}`;
    const ids: string[] = [];
    for (const n of [1, 2]) ids.push(idOf((await call("bash", { command: command(n), background: true })).content));
    await expect.poll(() => processesWith(`4${process.pid}.2`).length, patience).toBeGreaterThan(1);
    expect((await call("job", { id: ids[0], action: "kill" })).content).toMatch(/ended, killed\]$/);
    expect(processesWith(`4${process.pid}.1`)).toEqual([]);
    stop.abort();
    await expect.poll(() => processesWith(`4${process.pid}.2`), patience).toEqual([]);
    const other = atWork();
    await other("bash", { command: command(3), background: true });
    await other.close();
    expect(processesWith(`4${process.pid}.3`)).toEqual([]);
    expect(ran.map(({ exitCode }) => exitCode)).toEqual([null, null, null]);
  }, 30_000);

  it("is refused if it is one too many, is not known, or comes after the end", async () => {
    const call = atWork();
    const start = () => call("bash", { command: "sleep 300", background: true });
    const ids = [];
    for (let i = 0; i < 4; i++) ids.push(idOf((await start()).content));
    expect(await start()).toMatchObject(refusal(`4 jobs run already: ${ids.join(", ")}. Kill one`));
    expect(await call("job", { id: "9-9", action: "poll" })).toMatchObject(refusal(/no job "9-9".*restart.*start it anew/));
    await call("job", { id: ids[0], action: "kill" });
    expect((await start()).isError).toBeUndefined();
    await call.close();
    expect(await start()).toMatchObject({ isError: true });
  }, 30_000);

  it("that could not run says so", async () => {
    const { noSandbox } = await import("../../branch-agent/sandbox/none.ts");
    const { content } = await atWork({ sandbox: noSandbox() })("bash", { command: "true", background: true });
    expect(content).toMatch(/ended, it could not run: .*SANDBOX=none/);
  });
});

describe("after a restart", () => {
  const result = (content: string): Entry => ({ type: "result", toolUseId: "x", content, isError: false });

  it("the model is told once of each job that ended with the factory", async () => {
    const call = atWork();
    const mine = idOf((await call("bash", { command: "sleep 300", background: true })).content);
    const entries = [
      result("[job 3-1: running, 0:00]"),
      result("out\n[job 4-1: running, 0:00]"),
      result('out\n[job 4-1: ended, exit 0, 3.0 s]\n[all of it: read "/x"]'),
      result(`[job ${mine}: running, 0:00]`),
    ];
    const news = call.news(entries);
    expect(news).toEqual([expect.stringMatching(/job 3-1 ended with it/)]);
    expect(call.news([...entries, { type: "user", text: news[0] ?? "" }])).toEqual([]);
  });
});

/** Now the one, now the other, each for some microseconds: as long as a file tool looks. */
const swapper = `import { renameSync, rmSync } from "node:fs";
// A write that comes in between makes the directory anew.
const into = (from, to) => {
  for (;;) {
    try { return renameSync(from, to); } catch { try { rmSync(to, { recursive: true }); } catch {} }
  }
};
const dwell = (most) => { const until = performance.now() + Math.random() * most; while (performance.now() < until); };
for (;;) {
  dwell(2);
  renameSync("swap", "kept"); into("way-out", "swap");
  dwell(0.5);
  renameSync("swap", "way-out"); into("kept", "swap");
}`;

describe("beside a job that swaps a directory for a link that leads out", () => {
  it("no file tool reads or writes outside", async () => {
    const outside = join(dir, "elsewhere");
    mkdirSync(join(outside, "deep"), { recursive: true });
    writeFileSync(join(outside, "deep/file.txt"), "CANARY outside\n");
    put({ "swap/deep/file.txt": "inside\n" });
    symlinkSync(outside, join(root, "way-out"));
    const call = atWork();
    put({ "swap.mjs": swapper });
    const job = idOf((await call("bash", { command: "node swap.mjs", background: true })).content);
    const seen: string[] = [];
    const read = "     1\tinside";
    const path = "swap/deep/file.txt";
    const through = (begin: string) => seen.some((content) => content.startsWith(begin));
    for (let i = 0; i < 150 || (i < 3000 && !(through(read) && through("Wrote"))); i++) {
      call.forget();
      seen.push((await call("read", { path })).content);
      seen.push((await call("edit", { path, edits: [{ old: "inside", new: `inside ${i}` }] })).content);
      seen.push((await call("write", { path: `swap/deep/new-${i}.txt`, content: "mine" })).content);
      if (i % 30 === 0) {
        seen.push((await call("grep", { pattern: "CANARY", path: "swap" })).content);
        seen.push((await call("glob", { pattern: "**/*", path: "swap" })).content);
      }
    }
    expect((await call("job", { id: job, action: "kill" })).content, "it swapped to the end").toMatch(/^\[job \S+: ended, killed\]$/);
    expect(seen.join("\n")).not.toMatch(/CANARY outside/);
    expect(through(read) && through("Wrote"), "some went through").toBe(true);
    expect(readdirSync(join(outside, "deep"))).toEqual(["file.txt"]);
    expect(readFileSync(join(outside, "deep/file.txt"), "utf8")).toBe("CANARY outside\n");
    expect(existsSync(join(outside, "new-0.txt"))).toBe(false);
  }, 60_000);

  it("a secret that was moved with its directory stays closed", async () => {
    put({ "below/secret.env": "CANARY", "below/vault/one": "CANARY" });
    const masked = ["secret.env", "vault"].map((name) => join(root, "below", name));
    const call = atWork({ scope: { worktree: root, readOnly: [worktree.gitDir], masked, network: [] } });
    await call("bash", { command: "mv below above" });
    expect(readFileSync(join(root, "above/secret.env"), "utf8"), "it was moved").toBe("CANARY");
    for (const path of ["above/secret.env", "above/vault/one"])
      expect(await call("read", { path })).toMatchObject(refusal("holds secrets"));
    expect(await call("write", { path: "above/vault/two", content: "x" })).toMatchObject(refusal("holds secrets"));
  });
});
