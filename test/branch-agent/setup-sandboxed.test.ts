/** A set-up in the real sandbox and a real worktree: the tests find what it made, the commit does not, and it reaches no further than they. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Order } from "#core/envelope.ts";
import { work } from "#factory/work.ts";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { coderHands } from "../../branch-agent/tools/coder-hands.ts";
import { finish, use } from "../factory/agent.ts";
import { type BranchBench, openBranch, orderOf } from "../factory/branch.ts";
import { dir, eachInARepository, git, put, repo, workspaces } from "./repository.ts";

eachInARepository();

let b: BranchBench;
afterEach(() => b.close());

const makesModule =
  "mkdir -p node_modules/dep && echo 'module.exports = 42' > node_modules/dep/index.js && mkdir -p $GOMODCACHE && echo ready";
const needsModule = `node -e "process.exit(require('dep') === 42 ? 0 : 1)"`;

async function worked(setup: string, { order = {}, approves = true }: { order?: Partial<Order>; approves?: boolean } = {}) {
  b = await openBranch({ script: [{ tools: [use("write", { path: "new.txt", content: "new\n" })] }, finish()] });
  const declared = { setup: { demo: setup }, hosts: { demo: [] }, test: { demo: needsModule } };
  const branch = {
    ...b.branch,
    sandbox: bubblewrap(),
    workspaces: workspaces(declared),
    handsFor: (bench: Parameters<typeof b.branch.handsFor>[0]) =>
      coderHands({ ...bench, seesImages: false, redact: (text) => text, logDir: join(dir, "logs") }),
  };
  const attempt = { order: orderOf({ workspace: "demo", ...order }), orderId: "env_1", entryId: "1", state: "running" as const, starts: 1 };
  const grant = {
    token: b.token({ rep: "demo" }),
    signal: new AbortController().signal,
    news: () => new Promise<void>(() => {}),
    alone: { approves },
  };
  const outcome = await work(branch, attempt, grant, () => {});
  await branch.workspaces.close({ branch: "uac/t1-1-1-1" });
  return outcome;
}
const committed = () => git("ls-tree", "-r", "--name-only", "uac/t1-1-1-1").split("\n");

describe("a set-up in the sandbox", () => {
  it("makes ready what the tests need, before they run at base, and no commit holds it", async () => {
    const { outcome, receipt } = await worked(makesModule);
    expect(receipt).toMatchObject({
      ...{ verdict: "verified", testsBefore: { exitCode: 0 }, testsAfter: { exitCode: 0 } },
      setup: { state: "ran", exitCode: 0, tail: "ready\n", by: "whoever gave the order" },
    });
    expect([outcome, committed()]).toEqual(["succeeded", ["a.txt", "new.txt", "package.json", "src/b.ts"]]);
  });

  it("is not run where nobody approved it, and the tests say what that means", async () => {
    const { receipt } = await worked(makesModule, { approves: false });
    expect(receipt).toMatchObject({ verdict: "unverified", setup: { state: "declined" }, testsBefore: { exitCode: 1 } });
  });

  it("sees and changes nothing outside of the worktree, and reaches nobody", async () => {
    writeFileSync(join(dir, "outside"), "canary");
    const { receipt } = await worked(
      `cat ${join(dir, "outside")}; touch ${join(repo, "x")} .git/x ${join(repo, ".git/hooks/pre-commit")}; env; (echo > /dev/tcp/127.0.0.1/22) 2>&1; true`,
    );
    expect(receipt?.setup?.tail).not.toContain("canary");
    expect(receipt?.setup?.tail).toMatch(/Network is unreachable|Connection refused/);
    expect([join(repo, "x"), join(repo, ".git/hooks/pre-commit")].map((path) => existsSync(path))).toEqual([false, false]);
  });

  it("works on the owner's uncommitted changes where the order says so", async () => {
    put(repo, { "a.txt": "in hand\n" });
    const { receipt, reason } = await worked(makesModule, { order: { withEdits: true } });
    expect(receipt).toMatchObject({ replayed: { from: git("rev-parse", "main"), files: 1, left: [] }, diffstat: { files: 1 } });
    expect(reason).toContain("with your uncommitted change");
    expect(git("show", "uac/t1-1-1-1:a.txt")).toBe("in hand");
    expect(git("status", "--porcelain")).toBe("M a.txt");
  });
});
