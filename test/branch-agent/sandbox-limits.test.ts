/** What a command may take of the machine: the real kernel's bounds, as root and as an ordinary user. */
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
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { kernelsPlaces } from "../../branch-agent/sandbox/cgroup.ts";
import { openV1 } from "../../branch-agent/sandbox/cgroup-v1.ts";
import { openV2 } from "../../branch-agent/sandbox/cgroup-v2.ts";
import { fairShare } from "../../branch-agent/sandbox/limits.ts";
import { trackedFiles } from "../../branch-agent/tools/files.ts";
import { type Blasts, blast, small } from "./bombs.ts";

const asRoot = process.getuid?.() === 0;
const nobody = 65534;
let home: string;

beforeAll(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "limits-test-")));
  chmodSync(home, 0o755);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function directories(name: string, owner?: number) {
  return ["own", "other"].map((which) => {
    const path = join(home, `${name}-${which}`);
    mkdirSync(path);
    if (owner !== undefined) chownSync(path, owner, owner);
    return path;
  }) as [string, string];
}

/** In a process of its own that is nobody's. */
function blastAsNobody(): Awaited<ReturnType<typeof blast>> {
  const [own, other] = directories("nobody", nobody);
  const script = `import { blast } from "./test/branch-agent/bombs.ts";
    console.log(JSON.stringify(await blast("${own}", "${other}")));`;
  const env = { PATH: process.env.PATH };
  const options = { uid: nobody, gid: nobody, encoding: "utf8", env, maxBuffer: 64e6 } as const;
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", script], options));
}

const asMyself = () => blast(...directories("me"));

describe.each<[string, boolean, () => ReturnType<typeof blast> | Awaited<ReturnType<typeof blast>>]>([
  ["with all that is to be had here", true, asMyself],
  ["as an ordinary user", asRoot, blastAsNobody],
])("what would take everything is contained, %s", (_, possible, blasting) => {
  let blasts: Blasts;
  let bounds: string[];
  beforeAll(async () => {
    if (possible) ({ blasts, bounds } = await blasting());
  }, 180_000);

  it.runIf(possible).each<[keyof Blasts, RegExp]>([
    ["forks", /processes/],
    ["memory", /out of memory/],
    ["manyBytes", /worktree grew to \d+(\.\d)? [MG]B and may hold 60 MB/],
    ["manyFiles", /worktree grew to \d+ files and may hold 4000/],
    ["output", /printed more than 5 MB/],
    ["bigFile", /one may have 40 MB/],
  ])("%s: it ends, and says which bound it hit", (bomb, sentence) => {
    expect(blasts[bomb].limit).toMatch(sentence);
    expect(blasts[bomb].exitCode).not.toBe(0);
    expect(blasts[bomb].timedOut).toBe(false);
  });

  it.runIf(possible)("temporary files take memory, or what their file system has", () => {
    const { limit, output, exitCode } = blasts.temporary;
    expect(exitCode).not.toBe(0);
    expect(`${limit} ${output}`).toMatch(/out of memory|No space left/);
  });

  it.runIf(possible)("sleeping without end is ended by the time limit", () => {
    expect(blasts.sleep).toMatchObject({ timedOut: true, exitCode: null });
  });

  it.runIf(possible)("threads count as processes", () => {
    const { limit, output, exitCode } = blasts.threads;
    expect(exitCode).not.toBe(0);
    expect(`${limit} ${output}`).toMatch(/processes|ERR_WORKER|uv_thread_create|pthread|Resource temporarily|out of memory/i);
  });

  it.runIf(possible)("leaves the other task, and the same one afterwards, to go on", () => {
    for (const { beside, after } of Object.values(blasts)) {
      expect(beside.map(({ exitCode, output, limit }) => ({ exitCode, output, limit }))).toEqual(
        beside.map(() => ({ exitCode: 0, output: "42\n", limit: undefined })),
      );
      expect(after).toMatchObject({ exitCode: 0, output: "clear\n" });
    }
  });

  it.runIf(possible)("says how", () => {
    expect(bounds.join("\n")).toMatch(/memory of a task: 300 MB \((cgroup v[12]|a look four times a second)\)/);
  });
});

it("forks and memory are contained without control groups too", async () => {
  const { blasts, bounds } = await blast(...directories("lacking"), { lacking: ["cgroups"], only: ["forks", "memory"] });
  expect(blasts.forks).toMatchObject({ exitCode: null, limit: expect.stringContaining("processes") });
  expect(blasts.memory).toMatchObject({ exitCode: null, limit: expect.stringContaining("out of memory") });
  expect([...blasts.forks.beside, ...blasts.memory.beside].filter(({ exitCode }) => exitCode !== 0)).toEqual([]);
  expect(bounds.join("\n")).toContain("not bounded: CPU");
});

describe.runIf(asRoot)("as root", () => {
  it("commands own the worktree and nothing else, and what the file tools make in it is theirs", async () => {
    const [own] = directories("handed");
    writeFileSync(join(own, "before"), "1\n");
    const sandbox = bubblewrap();
    const run = (text: string) =>
      sandbox.run(
        { worktree: own, readOnly: [], masked: [], network: [] },
        { command: text, cwd: own, timeoutMs: 20_000, env: {}, maxOutput: 4_000 },
      );
    const first = await run("id -u; echo 2 >> before; mkdir -m 700 closed; echo x > closed/x; chmod 600 closed/x");
    const user = Number(first.output);
    expect(user).toBeGreaterThan(0);
    expect(statSync(own).uid).toBe(user);
    const files = trackedFiles({ root: own, masked: [] });
    const made = join(own, "new", "deep", "file");
    await files.write({ path: made, shown: "new/deep/file", exists: false, base: own }, Buffer.from("by a tool\n"));
    expect([made, dirname(made), dirname(dirname(made))].map((path) => statSync(path).uid)).toEqual([user, user, user]);
    expect(await run("echo more >> new/deep/file; touch new/deep/beside; cat before new/deep/file")).toMatchObject({
      exitCode: 0,
      output: "1\n2\nby a tool\nmore\n",
    });
    expect(readFileSync(join(own, "closed", "x"), "utf8")).toBe("x\n");
    await sandbox.leave(own);
  });
});

/** Groups of this kernel, version 1: of version 2 it is `openV2` that a machine has or has not. */
const live = (() => {
  const groups = openV2(kernelsPlaces) ?? openV1(kernelsPlaces);
  groups?.removeAll();
  return groups !== null;
})();

describe.runIf(live)("control groups of this machine", () => {
  const groupOf = (path: string) => dirname(path);

  it("are ended and removed with the task", async () => {
    const groups = openV2(kernelsPlaces) ?? openV1(kernelsPlaces);
    const task = groups?.task("ended", fairShare(2));
    const [join1 = ""] = task?.join ?? [];
    const joined = (task?.join ?? []).map((path) => `echo $$ > ${path}`).join("; ");
    const child = spawn("/bin/bash", ["-c", `${joined}; setsid sleep 1000 & echo in; exec sleep 1000`], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const closed = new Promise((resolve) => child.once("close", resolve));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    expect(readFileSync(join1, "utf8").trim().split("\n").length).toBeGreaterThanOrEqual(2);
    await task?.remove();
    await closed;
    expect(child.signalCode).toBe("SIGKILL");
    expect(existsSync(groupOf(join1))).toBe(false);
    await task?.remove();
    groups?.removeAll();
  });

  it("that a killed factory left are removed by the next", async () => {
    const script = `import { openV1 } from "./branch-agent/sandbox/cgroup-v1.ts";
      import { openV2 } from "./branch-agent/sandbox/cgroup-v2.ts";
      import { kernelsPlaces } from "./branch-agent/sandbox/cgroup.ts";
      import { fairShare } from "./branch-agent/sandbox/limits.ts";
      console.log((openV2(kernelsPlaces) ?? openV1(kernelsPlaces)).task("left", fairShare(2)).join[0]);
      setInterval(() => {}, 1000);`;
    const factory = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    const path = String(await new Promise((resolve) => factory.stdout.once("data", resolve))).trim();
    const gone = new Promise((resolve) => factory.once("close", resolve));
    factory.kill("SIGKILL");
    await gone;
    expect(existsSync(path)).toBe(true);
    (openV2(kernelsPlaces) ?? openV1(kernelsPlaces))?.removeAll();
    expect(existsSync(groupOf(path))).toBe(false);
  });
});

describe("control groups, version 2, in a directory of their shape", () => {
  it("gives a task its share of memory, processes and CPU, and keeps it from swap", () => {
    const mount = join(home, "cgroup2");
    const own = join(mount, "user.slice", "scope");
    mkdirSync(own, { recursive: true });
    const places = { mountinfo: join(home, "mountinfo"), self: join(home, "self") };
    writeFileSync(places.mountinfo, `30 23 0:26 / ${mount} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n`);
    writeFileSync(places.self, "0::/user.slice/scope\n");
    expect(openV2(places)).toBeNull();
    writeFileSync(join(own, "cgroup.controllers"), "cpuset cpu io memory pids\n");
    const groups = openV2(places);
    expect(groups).toMatchObject({ version: 2, controls: expect.arrayContaining(["memory", "processes", "cpu"]) });
    expect(readFileSync(join(own, "cgroup.subtree_control"), "utf8").split(" ").sort()).toEqual(["+cpu", "+memory", "+pids"]);
    const [procs = ""] = groups?.task("one", small).join ?? [];
    const read = (name: string) => readFileSync(join(dirname(procs), name), "utf8");
    expect([read("memory.max"), read("pids.max"), read("cpu.weight")]).toEqual(["300000000", "64", "100"]);
    writeFileSync(join(dirname(procs), "memory.swap.max"), "max\n");
    writeFileSync(join(dirname(procs), "memory.events"), "low 0\noom 3\noom_kill 2\n");
    writeFileSync(join(dirname(procs), "pids.events"), "max 7\n");
    writeFileSync(join(dirname(procs), "pids.current"), "5\n");
    expect(groups?.task("one", small).counts()).toEqual({ killed: 2, refused: 7, processes: 5 });
    expect(read("memory.swap.max")).toBe("0");
  });
});
