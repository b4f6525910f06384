/** Nothing that a repository or a model names runs on the host. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Worktree } from "#ports/workspace.ts";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { sandboxEnvironment } from "../../branch-agent/sandbox/environment.ts";
import { author, dir, eachInARepository, git, put, repo, workspaces } from "./repository.ts";

eachInARepository();

describe("what a repository names", () => {
  const trap = (name: string) => `touch "${join(dir, `ran-${name}`)}"`;
  const ran = () => readdirSync(dir).filter((name) => name.startsWith("ran-"));

  async function fullRound(before?: (worktree: Worktree) => void) {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    put(worktree.path, { "a.txt": "two\n", "new.txt": "n\n" });
    before?.(worktree);
    const made = await all.commit(worktree, "work", author);
    await all.open("demo", "t", 1);
    await all.close(worktree);
    return made;
  }

  it("runs no filter, whichever the attributes choose", async () => {
    put(repo, { ".gitattributes": "*.txt filter=evil.one diff=show\n" });
    git("add", "-A");
    git("commit", "-qm", "attributes");
    for (const part of ["clean", "smudge"]) git("config", `filter.evil.one.${part}`, `${trap(part)}; cat`);
    git("config", "filter.evil.one.process", trap("process"));
    git("config", "filter.evil.one.required", "true");
    git("config", "filter.Other=x.clean", `${trap("other")}; cat`);
    git("config", "diff.show.textconv", `${trap("textconv")}; cat`);
    git("config", "diff.show.command", trap("command"));
    git("config", "diff.external", trap("external"));
    const made = await fullRound((worktree) =>
      put(worktree.path, { "sub/.gitattributes": "* filter=Other=x diff=show\n", "sub/x": "1\n" }),
    );
    expect(made.patch).toContain("+two\n");
    expect(ran()).toEqual([]);
  });

  it("runs no hook, monitor, pager, editor or signer", async () => {
    const hooks = [
      "post-checkout",
      "pre-commit",
      "commit-msg",
      "prepare-commit-msg",
      "post-commit",
      "reference-transaction",
      "post-index-change",
    ];
    const hooked = join(repo, ".git", "hooks");
    mkdirSync(hooked, { recursive: true });
    for (const hook of hooks) {
      writeFileSync(join(hooked, hook), `#!/bin/sh\n${trap(hook)}\n`);
      chmodSync(join(hooked, hook), 0o755);
    }
    writeFileSync(join(dir, "program"), `#!/bin/sh\n${trap("program")}\n`);
    chmodSync(join(dir, "program"), 0o755);
    for (const key of ["core.fsmonitor", "core.pager", "core.editor", "gpg.program", "core.sshCommand", "core.alternateRefsCommand"]) {
      git("config", key, join(dir, "program"));
    }
    git("config", "commit.gpgSign", "true");
    git("config", "hook.named.command", trap("named"));
    git("config", "hook.named.event", "reference-transaction");
    await fullRound();
    expect(ran()).toEqual([]);
    // The trap itself works.
    execFileSync(join(dir, "program"));
    expect(ran()).toEqual(["ran-program"]);
  });

  it("takes no configuration from the machine or the environment", async () => {
    const home = join(dir, "home");
    put(home, {
      ".gitconfig": `[core]\n\thooksPath = ${join(dir, "h")}\n[filter "home"]\n\tclean = ${trap("home")}\n`,
      ".config/git/attributes": "* filter=home\n",
    });
    const saved = { ...process.env };
    Object.assign(process.env, {
      HOME: home,
      GIT_DIR: "/nowhere",
      GIT_INDEX_FILE: join(dir, "ran-index"),
      GIT_EXTERNAL_DIFF: trap("diff"),
    });
    try {
      expect((await fullRound()).head).toMatch(/^[0-9a-f]{40}$/);
    } finally {
      for (const key of ["HOME", "GIT_DIR", "GIT_INDEX_FILE", "GIT_EXTERNAL_DIFF"]) {
        if (saved[key] === undefined) delete process.env[key];
        else process.env[key] = saved[key];
      }
    }
    expect(ran()).toEqual([]);
  });

  it("follows no link out of the worktree", async () => {
    put(dir, { secret: "canary-in-a-file" });
    const made = await fullRound((worktree) => symlinkSync(join(dir, "secret"), join(worktree.path, "link")));
    expect(made.patch).toContain(`+${join(dir, "secret")}`);
    expect(made.patch).not.toContain("canary-in-a-file");
  });

  it("is out of reach from the sandbox: no hook, no config, no commit, and git still answers", async () => {
    const all = workspaces();
    const worktree = await all.open("demo", "t", 1);
    const result = await bubblewrap().run(
      { worktree: worktree.path, readOnly: [worktree.gitDir], masked: [], network: [] },
      {
        command: `git log -1 --format=%s; git status --short; git grep -c one; echo two > a.txt; git diff --stat | tail -1;
          git commit -qam mine; git config core.hooksPath /tmp; git worktree prune; echo x > ${worktree.gitDir}/hooks/post-checkout; rm -rf ${worktree.gitDir}/refs; true`,
        cwd: worktree.path,
        timeoutMs: 20_000,
        env: sandboxEnvironment,
        maxOutput: 10_000,
      },
    );
    expect(result.output).toMatch(/^first\na\.txt:1\n 1 file changed/);
    expect(git("rev-parse", "uac/t-1")).toBe(worktree.base);
    expect(git("config", "--list", "--local")).not.toContain("hookspath");
    expect(existsSync(join(worktree.gitDir, "hooks/post-checkout"))).toBe(false);
    expect((await all.commit(worktree, "work", author)).diffstat).toMatchObject({ files: 1, insertions: 1 });
  });
});
