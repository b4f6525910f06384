import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exclusively } from "../../scripts/setup/exclusive.mjs";
import { findNode, requireNodeForSetup } from "../../scripts/setup/node24.mjs";
import { staleness } from "../../scripts/setup/packages.mjs";
import { findOnPath, pathOutside, runStep } from "../../scripts/setup/run.mjs";
import { adviceFor, installPlan, missingPackages } from "../../scripts/setup/system.mjs";

let root: string;
let said: string[];
const say = (line: string) => said.push(line);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "uac-setup-"));
  said = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function executable(folder: string, name: string, script = "exit 0") {
  const file = join(root, folder, name);
  mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
}

describe("staleness", () => {
  const elsewhere = process.platform === "linux" ? "darwin" : "linux";
  const locked = {
    "": { version: "1.0.0" },
    "node_modules/a": { version: "1.0.0", integrity: "sha512-a" },
    "node_modules/a/node_modules/@scope/b": { version: "2.0.0", integrity: "sha512-b" },
    "node_modules/native-here": { version: "3.0.0", optional: true, os: process.platform, cpu: [process.arch] },
    "node_modules/native-elsewhere": { version: "3.0.0", optional: true, os: [elsewhere], cpu: [process.arch] },
  };
  const { "": _, "node_modules/native-elsewhere": __, ...installed } = locked;

  function checkout(lock: object | null, record: object | null) {
    if (lock) writeFileSync(join(root, "package-lock.json"), JSON.stringify({ packages: lock }));
    mkdirSync(join(root, "node_modules"));
    if (record) writeFileSync(join(root, "node_modules", ".package-lock.json"), JSON.stringify({ packages: record }));
    for (const path of Object.keys(record ?? {})) {
      mkdirSync(join(root, path), { recursive: true });
      writeFileSync(join(root, path, "package.json"), "{}");
    }
    return staleness(root);
  }

  it("is null when what is installed is what the lock file says for this platform", () => {
    expect(checkout(locked, installed)).toBeNull();
  });

  it("notices an installation that never ended", () => {
    expect(checkout(locked, null)).toBe("nothing is installed yet");
  });

  it("names a package that is missing, changed, deleted or left over", () => {
    const { "node_modules/a/node_modules/@scope/b": b, ...withoutB } = installed;
    expect(checkout(locked, withoutB)).toBe("@scope/b is missing");

    rmSync(root, { recursive: true });
    mkdirSync(root);
    expect(checkout(locked, { ...installed, "node_modules/a/node_modules/@scope/b": { ...b, version: "2.0.1" } })).toBe(
      "@scope/b is not 2.0.0",
    );

    rmSync(root, { recursive: true });
    mkdirSync(root);
    expect(checkout(locked, { ...installed, "node_modules/old": { version: "1.0.0" } })).toBe("old is no longer wanted");

    rmSync(root, { recursive: true });
    mkdirSync(root);
    expect(checkout(locked, installed)).toBeNull();
    rmSync(join(root, "node_modules/a/package.json"));
    expect(staleness(root)).toBe("a was deleted");
  });

  it("asks for a platform package that fits this machine, even though it is optional", () => {
    const { "node_modules/native-here": _native, ...without } = installed;
    expect(checkout(locked, without)).toBe("native-here is missing");
  });

  it("says what to do when the lock file is gone", () => {
    expect(() => checkout(null, installed)).toThrow(/package-lock\.json is missing.*restore it/);
  });
});

describe("Node", () => {
  it("refuses one that is too old for set-up, in one line", () => {
    expect(() => requireNodeForSetup("18.20.4")).toThrow(
      /^Node\.js 20 or newer is needed and this is 18\.20\.4: install Node\.js 24 \(\S+\)\.$/,
    );
    expect(() => requireNodeForSetup("20.0.0")).not.toThrow();
  });

  it("prefers the one that came with the packages, then the machine's own, and otherwise says what to install", () => {
    const own = executable("bin", "node");
    const path = `${join(root, "checkout/node_modules/.bin")}:${join(root, "bin")}`;
    const bundled = join(root, "checkout/node_modules/.bin/node");
    const find = (versions: Record<string, string>) =>
      findNode({ root: join(root, "checkout"), path, versionOf: (file) => versions[file] ?? null });

    expect(find({ [bundled]: "v24.1.0", [own]: "v26.0.0" })).toBe(bundled);
    expect(find({ [own]: "v24.0.0" })).toBe(own);
    expect(() => find({ [own]: "v20.20.2" })).toThrow(/^Node\.js 24 or newer is needed \(found v20\.20\.2\).*install it from/);
    expect(() => find({})).toThrow(/found none/);
  });
});

describe("system packages", () => {
  it("are looked up on PATH; macOS confines without bubblewrap", () => {
    executable("bin", "git");
    executable("bin", "redis-server");
    executable("bin", "google-chrome");
    const names = (platform: NodeJS.Platform, purpose: "run" | "test") =>
      missingPackages(purpose, platform, join(root, "bin")).map((one) => one.name);
    expect(names("linux", "run")).toEqual(["bubblewrap"]);
    expect(names("linux", "test")).toEqual(["bubblewrap"]);
    expect(names("darwin", "test")).toEqual([]);
  });

  const machine = () => ({ platform: "linux" as const, path: join(root, "bin"), isRoot: false, maySudo: () => true });
  const missing = () => missingPackages("run", "linux", "").filter((one) => one.name === "bubblewrap");

  it("come by apt for root and for whoever may sudo without a password", () => {
    const apt = executable("bin", "apt-get");
    expect(installPlan(missing(), { ...machine(), isRoot: true })?.map((step) => [step.command, step.args.at(-1)])).toEqual([
      [apt, "update"],
      [apt, "bubblewrap"],
    ]);
    const sudo = executable("bin", "sudo");
    expect(installPlan(missing(), machine())?.map((step) => step.command)).toEqual([sudo, sudo]);
    expect(installPlan(missing(), { ...machine(), maySudo: () => false })).toBeNull();
  });

  it("come by brew on macOS", () => {
    const brew = executable("bin", "brew");
    const redis = missingPackages("test", "darwin", "").filter((one) => one.name === "redis-server");
    expect(installPlan(redis, { ...machine(), platform: "darwin" })).toEqual([
      { title: "installing redis-server with brew", command: brew, args: ["install", "redis"] },
    ]);
  });

  it("are otherwise named in one line", () => {
    expect(installPlan(missing(), machine())).toBeNull();
    expect(adviceFor(missing(), "linux")).toMatch(/^bubblewrap is needed: sudo apt-get install bubblewrap .*$/);
    expect(adviceFor(missing(), "win32")).toMatch(/WSL 2/);
  });
});

describe("exclusively", () => {
  const lock = () => ({ folder: join(root, ".uac/setup.lock"), say, pollMs: 5 });

  it("lets one at a time in", async () => {
    const order: string[] = [];
    let release = () => {};
    const first = exclusively(lock(), async () => {
      order.push("first in");
      await new Promise<void>((done) => {
        release = done;
      });
      order.push("first out");
    });
    const second = exclusively(lock(), async () => order.push("second"));
    await new Promise((done) => setTimeout(done, 30));
    expect(order).toEqual(["first in"]);
    release();
    await Promise.all([first, second]);
    expect(order).toEqual(["first in", "first out", "second"]);
    expect(said[0]).toMatch(/waiting for another set-up/);
  });

  it("takes over from a process that is gone, and frees the lock when the work fails", async () => {
    mkdirSync(lock().folder, { recursive: true });
    writeFileSync(join(lock().folder, "pid"), "2147483646");
    await expect(exclusively(lock(), () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    await expect(exclusively(lock(), async () => "in")).resolves.toBe("in");
  });

  it("gives up on one that lives, and says what to do", async () => {
    mkdirSync(lock().folder, { recursive: true });
    writeFileSync(join(lock().folder, "pid"), String(process.pid));
    await expect(exclusively({ ...lock(), limitS: 0.02 }, async () => {})).rejects.toThrow(/delete that folder/);
  });
});

describe("runStep", () => {
  const step = (args: string[], limitS = 20) =>
    runStep({ title: "working", command: "/bin/sh", args: ["-c", ...args], cwd: root, env: process.env, limitS, say, everyS: 0.02 });

  it("tells how long it takes", async () => {
    await step(["sleep 0.1"]);
    expect(said[0]).toBe("working …");
    expect(said[1]).toMatch(/^working … \d+ s$/);
    expect(said.at(-1)).toMatch(/^working: done in \d+ s$/);
  });

  it("shows the end of the output of what failed", async () => {
    await expect(step(["seq 100; echo 'no space left' >&2; exit 3"])).rejects.toThrow(/ended with code 3\.\n(?!1\n)[\s\S]*no space left$/);
  });

  it("stops what never ends", async () => {
    await expect(step(["exec sleep 60"], 0.05)).rejects.toThrow(/was stopped after/);
  });
});

describe("PATH", () => {
  it("loses the checkout's own folders and nothing else", () => {
    expect(pathOutside("/co/node_modules/.bin:/usr/bin:/co-other/bin", "/co")).toBe("/usr/bin:/co-other/bin");
  });

  it("finds only files that can be executed", () => {
    writeFileSync(join(root, "plain"), "");
    mkdirSync(join(root, "folder"));
    const tool = executable("bin", "tool");
    expect(findOnPath("plain", root)).toBeNull();
    expect(findOnPath("folder", root)).toBeNull();
    expect(findOnPath("tool", `${root}:${join(root, "bin")}`)).toBe(tool);
  });
});
