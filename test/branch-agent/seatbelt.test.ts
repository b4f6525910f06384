/**
 * The profile that a command on macOS gets, as Anthropic's runtime writes it: its text, read by rules of this test's own. That macOS reads
 * it the same way is not tried here.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { wrapCommandWithSandboxMacOS as runtime } from "@anthropic-ai/sandbox-runtime/dist/sandbox/macos-sandbox-utils.js";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SandboxScope } from "#ports/sandbox.ts";
import { parametersOf, profileOf, type Wrap } from "../../branch-agent/sandbox/seatbelt.ts";
import { openProfile } from "./seatbelt-rules.ts";

let root: string;
let worktree: string;
let own: string;
let repository: string;
let scope: SandboxScope;

beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "seatbelt-")));
  // What a pattern, or a text in quotes, would read otherwise.
  worktree = join(root, `work [a-z]* "it's"`);
  own = join(root, "own");
  repository = join(root, "repository.git");
  for (const path of [worktree, own, repository, join(worktree, "src"), join(root, "other")]) mkdirSync(path);
  writeFileSync(join(worktree, ".git"), `gitdir: ${repository}`);
  for (const name of [".env", ".env.test", "src/id_ed25519"]) writeFileSync(join(worktree, name), "");
  writeFileSync(join(repository, "HEAD"), "ref: refs/heads/main");
  scope = { worktree, readOnly: [repository], masked: [], network: [] };
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

const profileFor = (more: Partial<SandboxScope> = {}, port: number | null = null, wrap: Wrap = runtime) =>
  profileOf(wrap, parametersOf({ ...scope, ...more }, { own, shown: ["/opt/node"], port }), own);
const rulesFor = (more: Partial<SandboxScope> = {}, port: number | null = null) => openProfile(profileFor(more, port));

const readings = ["file-read-data", "file-read-xattr"];
const writings = ["file-write-data", "file-write-create", "file-write-unlink", "file-write-mode"];

describe("what a command may read", () => {
  it("is its worktree, its own directory, what is shown, and the system", () => {
    const may = rulesFor();
    const shown = [worktree, join(worktree, "src/index.ts"), join(own, "tmp/x"), join(repository, "objects/ab"), "/opt/node/bin/node"];
    const system = [
      "/",
      "/bin/bash",
      "/usr/bin/git",
      "/usr/lib/dyld",
      "/System/Library/Frameworks/x",
      "/private/etc/ssl/cert.pem",
      "/dev/null",
    ];
    for (const path of [...shown, ...system, "/opt/homebrew/bin/node"])
      expect([path, may("file-read-data", { path })]).toEqual([path, true]);
  });

  it("is nothing else: homes, other worktrees, keychains, the disk by its second name, servers' data, logs", () => {
    const may = rulesFor();
    const homes = [
      homedir(),
      "/Users/me/.ssh/id_rsa",
      "/Users/me/Library/Keychains/login.keychain-db",
      "/var/root/x",
      "/private/var/root/x",
    ];
    const others = [root, join(root, "other/x"), `${worktree}2`, "/System/Volumes/Data/Users/me/.ssh/id_rsa", "/Volumes/Backup/x"];
    const kept = [
      "/Library/Keychains/System.keychain",
      "/private/etc/master.passwd",
      "/private/etc/sudoers",
      "/private/var/log/system.log",
    ];
    const servers = [
      "/opt/homebrew/var/postgres/x",
      "/usr/local/etc/my.cnf",
      "/private/tmp/x",
      "/private/var/folders/x",
      "/dev/disk0",
      "/dev/ttys001",
    ];
    for (const path of [...homes, ...others, ...kept, ...servers]) {
      for (const how of readings) expect([path, how, may(how, { path })]).toEqual([path, how, false]);
    }
    // Links at the root are followed, and show nothing of where they lead.
    expect(may("file-read-data", { path: "/etc" })).toBe(true);
    expect(may("file-read-data", { path: "/private/etc" })).toBe(false);
    // A path's directories are passed through: their names are no secret, what is in them is not listed.
    expect(may("file-read-metadata", { path: "/Users/me", directory: true })).toBe(true);
    expect(may("file-read-metadata", { path: "/Users/me/x" })).toBe(false);
  });

  it("is no file with credentials, unless it was opened", () => {
    const may = rulesFor({ opened: [".env.test"] });
    for (const name of [".env", "src/id_ed25519"]) {
      for (const how of readings) expect([name, may(how, { path: join(worktree, name) })]).toEqual([name, false]);
      // Nor can it be moved to another name, nor its directory.
      expect(may("file-write-unlink", { path: join(worktree, name) })).toBe(false);
    }
    expect(may("file-write-unlink", { path: join(worktree, "src") })).toBe(false);
    expect(may("file-read-data", { path: join(worktree, ".env.test") })).toBe(true);
  });

  it("is nothing that is masked, also where the same is shown, or a link leads there", () => {
    symlinkSync(join(root, "other"), join(worktree, "link"));
    const may = rulesFor({ masked: [repository, join(worktree, "link")], readOnly: [repository, join(root, "other")] });
    for (const path of [repository, join(repository, "HEAD"), join(root, "other/x")]) expect(may("file-read-data", { path })).toBe(false);
  });

  it("is no configuration of git's that holds a token", () => {
    const config = join(repository, "config");
    writeFileSync(config, "[core]\n");
    expect(rulesFor()("file-read-data", { path: config })).toBe(true);
    writeFileSync(config, `[remote "o"]\n url = https://me:${"x".repeat(8)}@example.org/x`);
    expect(rulesFor()("file-read-data", { path: config })).toBe(false);
    rmSync(config);
  });
});

describe("what a command may write", () => {
  it("is its worktree, its own directory, and the devices that swallow", () => {
    const may = rulesFor();
    for (const path of [join(worktree, "x"), join(worktree, "src/deep/x"), join(own, "home/x"), "/dev/null"]) {
      for (const how of writings) expect([path, how, may(how, { path })]).toEqual([path, how, true]);
    }
  });

  it("is neither .git nor what is shown, whether or not it is there, nor anything outside", () => {
    const may = rulesFor();
    const git = [".git", ".git/config", ".git/hooks/pre-commit"].map((name) => join(worktree, name));
    const shown = [repository, join(repository, "hooks/x"), "/opt/node/bin/node", "/usr/local/bin/x", "/opt/homebrew/bin/x"];
    const outside = [
      join(root, "other/x"),
      "/Users/me/.zshrc",
      "/private/tmp/x",
      "/private/etc/hosts",
      "/Library/LaunchDaemons/x",
      worktree,
      root,
    ];
    for (const path of [...git, ...shown, ...outside]) {
      const how = path === worktree ? "file-write-unlink" : "file-write-create";
      expect([path, may(how, { path })]).toEqual([path, false]);
      if (path !== worktree) expect([path, may("file-write-data", { path })]).toEqual([path, false]);
    }
  });

  it("is not what its directories are, so that none leaves a link in their place", () => {
    const may = rulesFor();
    for (const path of [worktree, own]) {
      for (const how of ["file-write-unlink", "file-write-create"]) expect([path, how, may(how, { path })]).toEqual([path, how, false]);
    }
  });

  it("is not even the worktree where the order forbids it", () => {
    const may = rulesFor({ writable: false });
    for (const how of writings) expect(may(how, { path: join(worktree, "x") })).toBe(false);
    expect(may("file-read-data", { path: join(worktree, "x") })).toBe(true);
    expect(may("file-write-create", { path: join(own, "tmp/x") })).toBe(true);
  });

  it("is no path at all that was not given, whatever it is", () => {
    const may = rulesFor();
    const name = fc.stringMatching(/^[\w .*[\]-]{1,12}$/).filter((each) => each !== "." && each !== "..");
    const start = fc.constantFrom(
      "/Users",
      "/private/tmp",
      "/private/var",
      "/Volumes",
      "/System/Volumes/Data",
      "/opt",
      root,
      `${worktree}x`,
    );
    fc.assert(
      fc.property(start, fc.array(name, { minLength: 1, maxLength: 5 }), (from, names) => {
        const path = join(from, ...names);
        const given = [worktree, own, repository, "/opt/node", "/opt/homebrew", "/private/var/select", "/private/var/db"];
        fc.pre(!given.some((each) => path === each || path.startsWith(`${each}/`)));
        expect([...readings, ...writings].filter((how) => may(how, { path }))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe("whom a command may reach", () => {
  const elsewhere = ["localhost:80", "localhost:6379", "169.254.169.254:80", "example.org:443"];

  it("is nobody: no address, no port of this machine's, no socket, no name server", () => {
    const may = rulesFor();
    for (const remote of [...elsewhere, "localhost:4711"]) expect([remote, may("network-outbound", { remote })]).toEqual([remote, false]);
    for (const path of ["/private/var/run/mDNSResponder", "/var/run/docker.sock"]) expect(may("network-outbound", { path })).toBe(false);
    for (const how of ["network-bind", "network-inbound"]) expect(may(how)).toBe(false);
  });

  it("is the task's own proxy where there are hosts", () => {
    const may = rulesFor({ network: ["example.org:443"] }, 4711);
    expect(may("network-outbound", { remote: "localhost:4711" })).toBe(true);
    for (const remote of elsewhere) expect([remote, may("network-outbound", { remote })]).toEqual([remote, false]);
  });

  it("is no keychain, and no service that opens programs outside", () => {
    const may = rulesFor();
    const closed = ["com.apple.SecurityServer", "com.apple.securityd.xpc", "com.apple.coreservices.launchservicesd"];
    for (const service of [...closed, "com.apple.pasteboard.1", "com.apple.coreservices.appleevents", "com.apple.trustd.agent"]) {
      expect([service, may("mach-lookup", { service })]).toEqual([service, false]);
    }
    for (const operation of ["appleevent-send", "lsopen", "process-info-pidinfo", "system-privilege"]) expect(may(operation)).toBe(false);
  });
});

describe("what the runtime is told", () => {
  it("is this scope, all paths by their letters", () => {
    const told = parametersOf({ ...scope, masked: [join(root, "other")] }, { own, shown: ["/opt/node"], port: 4711 });
    expect(told).toMatchObject({
      ...{ needsNetworkRestriction: true, httpProxyPort: 4711, binShell: "/bin/bash" },
      readConfig: {
        denyOnly: [],
        literalDenyOnly: ["/"],
        literalAllowWithinDeny: expect.arrayContaining([worktree, own, repository, "/opt/node"]),
      },
      writeConfig: { allowOnly: [], denyWithinAllow: [], literalDenyWithinAllow: [join(worktree, ".git"), repository] },
      degradeToDenyPaths: [join(root, "other"), join(worktree, ".env"), join(worktree, ".env.test"), join(worktree, "src/id_ed25519")],
    });
    for (const wide of [
      "allowAllUnixSockets",
      "allowUnixSockets",
      "allowLocalBinding",
      "allowMachLookup",
      "allowPty",
      "allowAppleEvents",
    ]) {
      expect(told).not.toHaveProperty(wide);
    }
    expect(told).not.toHaveProperty("enableWeakerNetworkIsolation");
    expect(parametersOf(scope, { own, shown: [], port: null })).not.toHaveProperty("httpProxyPort");
  });

  it("is nothing for a path that is none", () => {
    for (const path of ["/", "relative/path", "~/x"]) {
      expect(() => profileFor({ masked: [path] })).toThrow(expect.objectContaining({ code: "bad_input" }));
      expect(() => profileFor({ readOnly: [path] })).toThrow(expect.objectContaining({ code: "bad_input" }));
    }
  });

  it("does not show in the profile: no command, nothing of the factory's environment", () => {
    process.env.UAC_TEST_CANARY = "canary-of-the-profile";
    expect(profileFor()).not.toContain(process.env.UAC_TEST_CANARY);
    delete process.env.UAC_TEST_CANARY;
  });
});

describe("a runtime that writes something else", () => {
  const written = (change: (line: string) => string) => () => profileFor({}, null, (told) => change(runtime(told)));

  it.each<[string, (line: string) => string]>([
    ["no profile", () => "true"],
    ["another program", (line) => line.replace("/usr/bin/sandbox-exec", "/usr/local/bin/sandbox-exec")],
    ["another end", (line) => `${line}; true`],
    ["all allowed", (line) => line.replace("(deny default", "(allow default")],
    ["all written", (line) => line.replace("; File write", "(allow file-write*)")],
    ["all reached", (line) => line.replace("; Network", "(allow network*)")],
    ["all read", (line) => line.replace(`  (subpath "/")\n`, "")],
    [
      "an error",
      () => {
        throw new Error("Shell '/bin/bash' not found in PATH");
      },
    ],
  ])("runs nothing: %s", (_, change) => {
    expect(written(change)).toThrow(expect.objectContaining({ code: "sandbox_unavailable" }));
    expect(written((line) => line)).not.toThrow();
  });
});
