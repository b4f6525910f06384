/** Files with credentials in a worktree: what counts as one, and that neither commands, nor tools, nor a commit tell of it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { isSecret } from "../../branch-agent/sandbox/secrets.ts";
import { coderHands } from "../../branch-agent/tools/coder-hands.ts";
import { author, eachInARepository, git, dir as home, put as putAt, repo, workspaces } from "./repository.ts";

const sandbox = bubblewrap();
const canary = `canary-${process.pid}-${Date.now()}`;
const key = `-----BEGIN ${"PRIVATE"} KEY-----\n${canary}\n`;
let root: string;

function put(files: Record<string, string>) {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
}

async function run(command: string, opened: readonly string[] = []) {
  const scope = { worktree: root, readOnly: [], masked: [], opened, network: [] };
  return (await sandbox.run(scope, { command, cwd: root, timeoutMs: 20_000, env: {}, maxOutput: 100_000 })).output;
}

describe("in a worktree", () => {
  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "secrets-test-")));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const covered: [string, string][] = [
    ...[".env", ".env.local", ".env.production", "a/b/prod.env", ".ENV", "id_rsa", "id_ed25519", "my.ppk", "cert.p12", ".netrc", "_netrc"],
    ...[".git-credentials", ".pgpass", ".htpasswd", ".aws/credentials", ".aws/config", ".cargo/credentials.toml", ".kube/config"],
  ].map((name) => [name, canary]);
  covered.push(
    ...["server.pem", "tls.key", "id_deploy"].map((name): [string, string] => [name, key]),
    [".npmrc", `//registry.example/:_authToken=${canary}`],
    [".yarnrc.yml", `npmAuthToken: "${canary}"`],
    [".pypirc", `password = ${canary}`],
    ["pip.conf", `index-url = https://me:${canary}@pypi.example/simple`],
    [".docker/config.json", `{"auths":{"x":{"auth":"${canary}"}}}`],
    ["google-service-account.json", `{"private_key": "${canary}"}`],
    ["terraform.tfvars", `db_password = "${canary}"`],
    [".envrc", `export API_KEY=${canary}`],
  );
  const shown: [string, string][] = [
    [".env.example", "API_KEY=change-me"],
    ["id_token.ts", "export const id = 1;"],
    ["ca.pem", "-----BEGIN CERTIFICATE-----"],
    [".npmrc", "registry=https://registry.example/\nsave-exact=true"],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as npm has it
    [".npmrc", "//registry.example/:_authToken=${NPM_TOKEN}"],
    ["config", "plain"],
    ["environment.ts", "x"],
    ["key.ts", key],
    [".docker/config.json", "{}"],
    ["src/credentials.ts", "x"],
  ];

  it("what has the name or the content of credentials is covered, and nothing else", async () => {
    for (const [i, [name, content]] of covered.entries()) put({ [`closed/${i}/${name}`]: content });
    for (const [i, [name, content]] of shown.entries()) put({ [`open/${i}/${name}`]: content });
    const output = await run(
      `cd closed; grep -rl ${canary} .; find . -type f -size +0 -o -type l; find . -mindepth 2 -not -type d | while read -r f; do cp "$f" x && cat x; ln "$f" y; mv "$f" z; cat y z; done 2>/dev/null; true`,
    );
    expect(output).toBe("");
    for (const [i, [name, content]] of covered.entries()) expect(readFileSync(join(root, `closed/${i}/${name}`), "utf8")).toBe(content);
    const seen = await run(shown.map(([name], i) => `cat open/${i}/${name}; echo; echo --`).join("\n"));
    expect(seen.split("\n--\n").slice(0, -1)).toEqual(shown.map(([, content]) => content));
  });

  it("one that a command makes is covered from the next command on, whatever it is called and moved to", async () => {
    await run(`mkdir -p deep/er; echo ${canary} > deep/er/.env.new; echo plain > .npmrc`);
    expect(await run("cat deep/er/.env.new")).toBe("");
    await run(`echo '_authToken=${canary}' >> .npmrc`);
    expect(await run("cat .npmrc")).toBe("");
    expect(await run("mkdir node_modules; mv deep node_modules/hidden; ls node_modules/hidden/er -A")).toBe(".env.new\n");
    expect(await run("cat node_modules/hidden/er/.env.new"), "also where nobody would look").toBe("");
    await run("mkdir -p .git; mv node_modules/hidden .git/");
    expect(await run("cat .git/hidden/er/.env.new")).toBe("");
  });

  it("stays one where a command moves the directory that tells, or another file takes its place", async () => {
    put({ "a/.aws/credentials": canary, "b/.kube/config": canary });
    expect(await run("mv a/.aws a/moved; mv b/.kube b/kept; mkdir b/.kube; echo other > b/.kube/config")).toBe("");
    expect(await run("cat a/moved/credentials b/kept/config b/.kube/config")).toBe("");
    expect(await run("mv a/moved c; cat c/credentials")).toBe("");
    expect(await run("cat c/credentials")).toBe("");
  });

  it("is not opened by being moved to where the owner opened others, and what was opened may be moved", async () => {
    put({ "deploy/a.pem": key, "test/b.pem": `${key}open\n` });
    const opened = ["test/**/*.pem"];
    expect(await run("cat deploy/a.pem; mv deploy test/moved; mv test/b.pem .", opened)).toBe("");
    expect(await run("cat test/moved/a.pem b.pem", opened)).toBe(`${key}open\n`);
  });

  it("is covered in a directory that one command closed and the next opens", () => {
    put({ "s/.env": canary, "t/u/.env": canary, "v/key.pem": key });
    const script = `import { bubblewrap } from "./branch-agent/sandbox/bubblewrap.ts";
      const sandbox = bubblewrap();
      const scope = { worktree: "${root}", readOnly: [], masked: [], opened: [], network: [] };
      const run = async (command) => (await sandbox.run(scope, { command, cwd: "${root}", timeoutMs: 20000, env: {}, maxOutput: 10000 })).output;
      console.log(await run("chmod 000 s t; mkdir w; mv v w/v; chmod 400 w"));
      console.log(await run("chmod 755 s t w; cat s/.env t/u/.env w/v/key.pem; echo read"));`;
    const nobody = 65_534;
    const as = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
    if ("uid" in as) execFileSync("chown", ["-R", `${nobody}:${nobody}`, root]);
    const env = { PATH: process.env.PATH };
    expect(execFileSync(process.execPath, ["--input-type=module", "-e", script], { ...as, env, encoding: "utf8" }).trim()).toBe("read");
  });

  it("is shown where the owner has opened it, by path or pattern", async () => {
    put({ ".env.test": "A=1\n", ".env": `${canary}\n`, "test/keys/a.pem": key });
    expect(await run("cat .env.test .env test/keys/a.pem", [".env.test", "test/**/*.pem"])).toBe(`A=1\n${key}`);
    expect(await run("cat .env.test test/keys/a.pem", ["*.pem"])).toBe("");
  });

  it("takes no time to speak of over a file that is made to take it", () => {
    const size = 256 * 1024;
    const long = ["token", "npmauth", "passw", "key ", "token\n", `"private_key" `, "-----BEGIN ", "://a", "token=", 'secret"'].map(
      (text) => text.repeat(size / text.length),
    );
    const padded = ["token", "key", "-----BEGIN", '"private_key"'].map((text) => text + " ".repeat(size));
    const judged: boolean[] = [];
    // What went on for ever would go on for minutes, each of them.
    for (const content of [...long, ...padded]) {
      for (const name of [".npmrc", "x.tfvars", ".envrc", "a.pem", "pip.conf", "google.json"]) {
        put({ [name]: content });
        judged.push(isSecret(join(root, name)));
      }
    }
    expect(judged).toHaveLength(84);
  });

  it("never waits for a pipe, and follows no link out", () => {
    execFileSync("mkfifo", [join(root, "id_pipe")]);
    execFileSync("ln", ["-s", "/dev/zero", join(root, "id_link")]);
    expect([isSecret(join(root, "id_pipe")), isSecret(join(root, "id_link"))]).toEqual([false, false]);
  });
});

describe("for the file tools and the commit", () => {
  eachInARepository();

  it("is closed, whether it was there or is to be made, and left out of the commit when new", async () => {
    putAt(repo, { ".env": `TOKEN=${canary}\n`, ".env.example": "TOKEN=\n" });
    putAt(repo, { "kept/.aws/credentials": canary });
    git("add", "-A", "-f");
    git("commit", "-qm", "with a secret");
    const spaces = workspaces();
    const worktree = await spaces.open("demo", "t1", 1);
    root = worktree.path;
    const { tools } = coderHands({
      ...{ names: ["read", "edit", "write", "bash", "grep", "glob"], seesImages: false },
      ...{ worktree, sandbox, allowed: ["read", "write", "exec", "commit"], redact: (text: string) => text, logDir: join(home, "logs") },
      scope: { worktree: worktree.path, readOnly: [worktree.gitDir], masked: [], opened: [], network: [] },
      ran: async () => {},
    });
    const use = async (name: string, input: object) => {
      const tool = tools.find((each) => each.name === name);
      return (
        (await tool?.run(tool.input.parse(input), { key: `k-${name}`, signal: new AbortController().signal, stillShown: () => false })) ?? {
          content: "no such tool",
        }
      );
    };
    for (const [name, input] of [
      ["read", { path: ".env" }],
      ["write", { path: ".env", content: "x" }],
      ["write", { path: "new/.env.local", content: "x" }],
    ] as const)
      expect(await use(name, input)).toMatchObject({ isError: true, content: expect.stringContaining("holds secrets and is closed") });
    expect((await use("glob", { pattern: ".env*" })).content).toBe(".env.example");
    expect((await use("grep", { pattern: canary.slice(0, 9) })).content).toMatch(/^No match/);
    expect((await use("read", { path: ".env.example" })).content).toContain("TOKEN=");
    await use("bash", { command: "mv kept/.aws kept/moved" });
    expect(await use("read", { path: "kept/moved/credentials" })).toMatchObject({
      isError: true,
      content: expect.stringContaining("is closed"),
    });
    await use("bash", { command: "mv kept/moved kept/.aws" });
    await use("bash", { command: `echo ${canary} > id_rsa; echo ${canary} > .env.local; echo fine > fine.txt` });
    const changes = await spaces.commit(worktree, "made", author);
    expect(changes.diffstat.text).toContain("left out as artefacts or secrets: .env.local, id_rsa");
    expect(changes.diffstat.files).toBe(1);
    expect(changes.patch).toContain("fine");
    expect(changes.patch).not.toContain(canary);
    expect(git("show", `${worktree.branch}:.env`), "what is tracked stays as it was").toBe(`TOKEN=${canary}`);
    await spaces.close(worktree);
  });
});
