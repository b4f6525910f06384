/** What a command may take of the machine: the real kernel's bounds, as root and as an ordinary user. */
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { kernelsPlaces } from "../../branch-agent/sandbox/cgroup.ts";
import { openV1 } from "../../branch-agent/sandbox/cgroup-v1.ts";
import { openV2 } from "../../branch-agent/sandbox/cgroup-v2.ts";
import { fairShare } from "../../branch-agent/sandbox/limits.ts";
import type { Means } from "../../branch-agent/sandbox/tasks.ts";
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
    console.log(JSON.stringify(await blast("${own}", "${other}", [])));`;
  const env = { PATH: process.env.PATH };
  const options = { uid: nobody, gid: nobody, encoding: "utf8", env, maxBuffer: 64e6 } as const;
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", script], options));
}

const asMyself = (lacking: readonly (keyof Means)[]) => () => blast(...directories(`me-${lacking.join("-")}`), lacking);

describe.each<[string, boolean, () => ReturnType<typeof blast> | Awaited<ReturnType<typeof blast>>]>([
  ["with all that is to be had here", true, asMyself([])],
  ["without control groups", true, asMyself(["cgroups"])],
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
    expect(`${limit} ${output}`).toMatch(/out of memory|too large/);
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
