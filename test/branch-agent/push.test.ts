/**
 * Push and pull request. A remote is a bare repository on this disk, whose own address (a path) is what allows git's `file` transport;
 * or one behind HTTP on loopback that asks for the owner's credentials. `gh` is a program that writes down how it was called.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Follow } from "#core/follow-up.ts";
import { gitFollowUps } from "../../branch-agent/workspace/follow-ups.ts";
import { runOnHost } from "../../branch-agent/workspace/host-command.ts";
import { startGitServer } from "./git-http.ts";
import { author, dir, eachInARepository, git, put, repo, workspaces } from "./repository.ts";

eachInARepository();

const environment = { ...process.env };
const secret = randomBytes(12).toString("hex");
/** The owner's home directory; and where the canaries would lie. */
let home: string;
let canary: string;
beforeEach(() => {
  home = join(dir, "home");
  canary = join(dir, "canary");
  mkdirSync(home);
  process.env.HOME = home;
});
afterEach(() => {
  process.env.HOME = environment.HOME;
  process.env.PATH = environment.PATH;
});

async function finished(remote: string | null, changed: Partial<Follow> = {}): Promise<Follow> {
  const ws = workspaces();
  const worktree = await ws.open("demo", "t1-1-1", 1);
  put(worktree.path, { "a.txt": "two\n" });
  const { head } = await ws.commit(worktree, "Work", author);
  await ws.close(worktree);
  const says = { title: "--web is no option", body: "Fixed.\n" };
  return {
    do: "push",
    of: "t1-1-1",
    epoch: 1,
    branch: worktree.branch,
    head: head ?? "",
    into: "main",
    remote,
    says,
    approved: "a".repeat(64),
    ...changed,
  };
}
const ups = () => gitFollowUps({ workspaces: { demo: repo } });
const signal = () => new AbortController().signal;
const push = (follow: Follow) => ups().push("demo", follow, signal());
function bare() {
  const path = join(dir, "remote.git");
  execFileSync("git", ["init", "-q", "--bare", path]);
  git("remote", "add", "origin", path);
  return path;
}
const refsOf = (path: string) =>
  execFileSync("git", ["-C", path, "for-each-ref", "--format=%(refname) %(objectname)"], { encoding: "utf8" }).trim();
function program(path: string, lines: string) {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${lines}\n`);
  chmodSync(path, 0o755);
}

describe("a push", () => {
  it("brings exactly the commit that was approved under its branch's name, and is done once", async () => {
    const remote = bare();
    const follow = await finished(remote);
    expect(await push(follow)).toMatchObject({ already: false, ref: "refs/heads/uac/t1-1-1-1", head: follow.head });
    expect(refsOf(remote)).toBe(`refs/heads/uac/t1-1-1-1 ${follow.head}`);
    expect(await push(follow)).toMatchObject({ already: true });
    expect(git("for-each-ref", "refs/remotes")).toBe("");
  });

  it("is never one by force: what the remote has under that name stays", async () => {
    const remote = bare();
    const follow = await finished(remote);
    git("switch", "-q", "-c", "other");
    git("commit", "-q", "--allow-empty", "-m", "somebody else's");
    git("push", "-q", "origin", "other:refs/heads/uac/t1-1-1-1");
    const before = refsOf(remote);
    await expect(push(follow)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/^Not pushed: .* refused it: .*rejected/),
    });
    expect(refsOf(remote)).toBe(before);
  });

  it("is refused where branch or remote are not as approved", async () => {
    const remote = bare();
    const follow = await finished(remote);
    git("remote", "set-url", "origin", join(dir, "other.git"));
    await expect(push(follow)).rejects.toMatchObject({
      message: `Not pushed: the remote is ${join(dir, "other.git")} now, not ${remote}. Ask again.`,
    });
    git("remote", "set-url", "origin", remote);
    git("branch", "-f", follow.branch, "main");
    await expect(push(follow)).rejects.toMatchObject({ message: expect.stringContaining("now, not at") });
    git("remote", "remove", "origin");
    git("branch", "-f", follow.branch, follow.head);
    await expect(push(follow)).rejects.toMatchObject({ message: expect.stringContaining("none that is spoken to") });
    expect(refsOf(remote)).toBe("");
  });

  it("runs nothing that the repository names", async () => {
    const remote = bare();
    const follow = await finished(remote);
    program(join(repo, ".git/hooks/pre-push"), `touch ${canary}`);
    program(join(dir, "evil"), `touch ${canary}; exit 1`);
    for (const key of ["remote.origin.receivepack", "core.sshCommand", "credential.helper", "core.gitProxy"])
      git("config", key, join(dir, "evil"));
    git("config", "remote.origin.mirror", "true");
    git("config", "push.followTags", "true");
    git("tag", "-a", "-m", "v1", "v1", follow.head);
    await push(follow);
    expect(existsSync(canary)).toBe(false);
    expect(refsOf(remote)).toBe(`refs/heads/uac/t1-1-1-1 ${follow.head}`);
    git("config", `url.ext::${join(dir, "evil")} %S .insteadOf`, remote);
    expect(await ups().remoteOf("demo", "main")).toBeNull();
    git("config", "--unset", `url.ext::${join(dir, "evil")} %S .insteadOf`);
    git("config", "remote.origin.pushurl", `ext::touch ${canary}`);
    await expect(push(follow)).rejects.toMatchObject({ code: "conflict" });
    expect(existsSync(canary)).toBe(false);
  });
});

describe("a remote that asks who is there", () => {
  let server: Awaited<ReturnType<typeof startGitServer>>;
  let remote: string;
  beforeEach(async () => {
    server = await startGitServer(join(dir, "served"), { user: "ann", password: secret });
    remote = server.make("ann/demo.git");
    git("remote", "add", "origin", `${server.url}/ann/demo.git`);
    program(join(dir, "helper"), `echo username=ann; echo password=${secret}`);
  });
  afterEach(() => server.close());
  const withHelper = () => writeFileSync(join(home, ".gitconfig"), `[credential]\n\thelper = ${join(dir, "helper")}\n`);

  it("is answered by the owner's own credential helper, and by no other", async () => {
    const follow = await finished(`${server.url}/ann/demo.git`);
    git("config", "credential.helper", join(dir, "helper"));
    const refused = await push(follow).catch((error: Error) => error.message);
    expect(refused).toMatch(/^Not pushed to http:\/\/127\.0\.0\.1/);
    expect(refsOf(remote)).toBe("");
    withHelper();
    const done = await push(follow);
    expect(done).toMatchObject({ already: false });
    expect(JSON.stringify([done, refused])).not.toContain(secret);
    expect(refsOf(remote)).toBe(`refs/heads/uac/t1-1-1-1 ${follow.head}`);
  });

  it("may be addressed with a credential, which nobody is shown", async () => {
    git("remote", "set-url", "origin", `${server.url.replace("//", `//ann:${secret}@`)}/ann/demo.git`);
    const shown = await ups().remoteOf("demo", "main");
    expect(shown).toBe(`${server.url}/ann/demo.git`);
    expect(JSON.stringify(await push(await finished(shown)))).not.toContain(secret);
    git("remote", "set-url", "origin", `${server.url.replace("//", `//ann:${secret}x@`)}/ann/demo.git`);
    const refused = await push(await finished(shown, {})).catch((error: Error) => error.message);
    expect(refused).toMatch(/Not pushed/);
    expect(refused).not.toContain(secret);
  });

  describe("and gh", () => {
    const calls = () => readFileSync(join(dir, "calls"), "utf8").trim().split("\n");
    /** Lists what `open` holds; `create` writes it. */
    function withGh(
      create = `echo "Creating pull request"; echo '[{"url":"https://git.example/ann/demo/pull/7","headRefOid":"x"}]' > ${join(dir, "open")}; echo https://git.example/ann/demo/pull/7`,
    ) {
      withHelper();
      writeFileSync(join(dir, "open"), "[]");
      const list = `cat ${join(dir, "open")}`;
      program(
        join(dir, "bin/gh"),
        `for a in "$@"; do printf '%s|' "$a"; done >> ${join(dir, "calls")}; echo >> ${join(dir, "calls")}\ncase "$2" in list) ${list};; create) cat > ${join(dir, "body")}; ${create};; esac`,
      );
      process.env.PATH = `${join(dir, "bin")}:${environment.PATH}`;
    }
    const propose = (follow: Follow) => ups().openPullRequest("demo", follow, signal());

    it("opens one pull request, with every value in an argument of its own and the text on its input", async () => {
      withGh();
      const follow = await finished(`${server.url}/ann/demo.git`, { do: "pr" });
      expect(await propose(follow)).toMatchObject({ already: false, head: follow.head, url: "https://git.example/ann/demo/pull/7" });
      const project = `${server.url.slice("http://".length)}/ann/demo`;
      expect(calls()).toEqual([
        `pr|list|--repo=${project}|--head=uac/t1-1-1-1|--base=main|--state=open|--json=url,headRefOid|--limit=1|`,
        `pr|create|--repo=${project}|--head=uac/t1-1-1-1|--base=main|--title=--web is no option|--body-file=-|`,
      ]);
      expect(readFileSync(join(dir, "body"), "utf8")).toBe("Fixed.\n");
      expect(refsOf(remote)).toBe(`refs/heads/uac/t1-1-1-1 ${follow.head}`);
      expect(await propose(follow)).toMatchObject({ already: true, url: "https://git.example/ann/demo/pull/7" });
      expect(calls()).toHaveLength(3);
    });

    it("says what gh complained of, without a credential", async () => {
      withGh(`echo "no access: https://ann:${secret}@git.example/" >&2; exit 1`);
      const message = await propose(await finished(`${server.url}/ann/demo.git`, { do: "pr" })).catch((error: Error) => error.message);
      expect(message).toContain("The branch is pushed, but there is no pull request: gh said: no access: https://…@git.example/");
    });

    it("is offered only where it is", async () => {
      const ws = workspaces();
      const worktree = await ws.open("demo", "t2-1-1", 1);
      process.env.PATH = dirnameOf("git");
      expect((await ups().prospects(worktree, true)).can).toEqual(["merge", "push", "discard"]);
      withGh();
      expect((await ups().prospects(worktree, true)).can).toEqual(["merge", "push", "pr", "discard"]);
      await ws.close(worktree);
      rmSync(join(dir, "bin/gh"));
    });
  });
});

const dirnameOf = (name: string) => join(execFileSync("which", [name], { encoding: "utf8" }).trim(), "..");

it("a program of the host's is ended with all that it started, by time or by signal", async () => {
  const command = { cwd: "/", env: { PATH: environment.PATH ?? "" }, timeoutMs: 200 };
  const endless = ["-c", `sleep 60 & echo $! > ${join(dir, "pid")}; wait`];
  expect(await runOnHost("sh", endless, { ...command, signal: signal() })).toMatchObject({ code: null, ended: "time" });
  const pid = Number(readFileSync(join(dir, "pid"), "utf8"));
  await expect.poll(() => existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")).toBe(false);
  const abort = new AbortController();
  const run = runOnHost("sh", endless, { ...command, timeoutMs: 60_000, signal: abort.signal });
  abort.abort("cancelled");
  expect(await run).toMatchObject({ code: null, ended: "signal" });
});
