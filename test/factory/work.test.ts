import { afterEach, describe, expect, it } from "vitest";
import type { Order } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { sum } from "#core/ledger.ts";
import { defaultLimits } from "#core/limits.ts";
import type { OpsToken } from "#core/ops-token.ts";
import type { Hands } from "#factory/branch.ts";
import { releasing } from "#factory/conclude.ts";
import { work } from "#factory/work.ts";
import { finish, use } from "./agent.ts";
import { type BranchBench, type BranchOptions, branchSecret, openBranch, orderOf } from "./branch.ts";

let b: BranchBench;
afterEach(() => b.close());

const fixing = [{ tools: [use("edit")] }, { tools: [use("bash", { command: "npm test" })] }, finish("done", "Fixed it.")];
const story: string[] = [];
interface Given {
  order?: Partial<Order>;
  token?: Partial<OpsToken>;
  signal?: AbortSignal;
}
async function worked(options: BranchOptions & Given = {}) {
  b = await openBranch({ script: fixing, ...options });
  return again(options);
}
async function again({ order, token, signal }: Given = {}) {
  story.length = 0;
  const attempt = { order: orderOf(order), orderId: "env_1", entryId: "1", state: "running" as const, starts: 1 };
  const grant = { token: b.token(token), signal: signal ?? new AbortController().signal, news: () => new Promise<void>(() => {}) };
  return work(b.branch, attempt, grant, (kind, persona, text) => void story.push(`${persona} ${kind}: ${text}`));
}

describe("the verdict is measured", () => {
  it.each<[string, BranchOptions & Given, object]>([
    ["tests that failed and pass", { tests: [1, 0] }, { outcome: "succeeded", code: "finished", receipt: { verdict: "verified" } }],
    ["tests that passed and fail", { tests: [0, 1] }, { outcome: "failed", code: "regressed", receipt: { verdict: "regressed" } }],
    ["tests that still fail", { tests: [1, 1] }, { outcome: "succeeded", receipt: { verdict: "unverified" } }],
    ["no tests", { tests: null }, { outcome: "succeeded", receipt: { verdict: "unverified", testsBefore: null, testsAfter: null } }],
    [
      "no tests, where verification is demanded",
      { tests: null, order: { requireVerified: true } },
      { outcome: "failed", code: "not_verified" },
    ],
    ["tests that were killed", { tests: [0, null] }, { outcome: "failed", code: "regressed" }],
    ["nothing changed", { script: [finish()] }, { outcome: "succeeded", receipt: { verdict: "unverified", head: null, branch: null } }],
    ["a VP that gives up", { script: [finish("failed", "I can't.")] }, { outcome: "failed", code: "gave_up", summary: "I can't." }],
    [
      "a VP that gives up and left things better",
      { script: [{ tools: [use("edit")] }, finish("failed")] },
      { outcome: "failed", code: "gave_up" },
    ],
  ])("%s", async (_, options, expected) => {
    const outcome = await worked(options);
    expect(outcome).toMatchObject({ task: "t1-1-1", epoch: 1, persona: "Lisa", ...expected });
  });

  it("lets tests that never end take no longer than the work may, and says so", async () => {
    const outcome = await worked({ endless: true, order: { limits: { ...defaultLimits, wallS: 60 } } });
    expect(outcome).toMatchObject({
      outcome: "failed",
      code: "time_limit",
      receipt: { testsBefore: { exitCode: null, durationMs: 60_000 } },
    });
    expect(story).toContain("Lisa started: the tests did not end: npm test was stopped after 60 s");
  });

  it("has in its receipt what was seen", async () => {
    const outcome = await worked();
    expect(outcome.receipt).toMatchObject({
      base: "b".repeat(40),
      head: "c".repeat(40),
      branch: "uac/t1-1-1-1",
      diffstat: { files: 1 },
      commands: [{ command: "npm test", exitCode: 0 }],
      testsBefore: { command: "npm test", exitCode: 1 },
      testsAfter: { exitCode: 0 },
      steps: 3,
      limitsHit: [],
    });
    const spent = sum(await b.journal.spent("t1-1-1", 1));
    expect(outcome.receipt?.usage, "to the token").toEqual(spent);
    expect(spent.calls).toBe(3);
    expect(story.map((line) => line.split(":")[0])).toEqual([
      "Homer routed",
      "Lisa started",
      "Lisa step",
      "Lisa step",
      "Lisa step",
      "Lisa committed",
      "Lisa finished",
    ]);
  });

  it("says that the owner's uncommitted changes were left out", async () => {
    const outcome = await worked({ uncommitted: 2 });
    expect(outcome.reason).toBe("the tests failed before and pass now; without your 2 uncommitted changes");
    expect(story.find((line) => line.startsWith("Lisa started"))).toContain("without your 2 uncommitted changes");
  });

  it("a limit ends it, and what was done by then is kept", async () => {
    const outcome = await worked({ token: { lim: { ...defaultLimits, steps: 1 } } });
    const receipt = { limitsHit: ["step_limit"], head: "c".repeat(40), verdict: "verified" };
    expect(outcome).toMatchObject({ outcome: "failed", code: "step_limit", receipt });
  });

  it("the narrowest of order, token and factory bounds it", async () => {
    const outcome = await worked({ env: { TASK_MAX_STEPS: "2" }, order: { limits: { ...defaultLimits, steps: 3 } } });
    expect(outcome).toMatchObject({ code: "step_limit", receipt: { steps: 2 } });
  });

  it.each([
    ["llm_unreachable", "model_unreachable"],
    ["llm_incomplete", "model_garbage"],
  ] as const)("a model that is %s ends it with a reason", async (error, code) => {
    const outcome = await worked({ script: [new UacError(error, "Nobody answers.")] });
    expect(outcome).toMatchObject({ outcome: "failed", code, reason: expect.stringContaining("Nobody answers.") });
  });
});

describe("the tests at base", () => {
  it("run beside the model's first call, and nothing is touched until they are over", async () => {
    b = await openBranch({ script: fixing });
    const { run } = b.branch.sandbox;
    const touched: number[] = [];
    b.branch.sandbox.run = async (...args) => {
      // They end only after the model has answered, and some.
      while (b.state.runs === 0 && b.llm.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
      touched.push(b.edit.calls.length);
      return run(...args);
    };
    expect(await again()).toMatchObject({ receipt: { verdict: "verified", testsBefore: { exitCode: 1 }, testsAfter: { exitCode: 0 } } });
    expect(touched[0]).toBe(0);
  });

  it("that can't run break it off, after the first step at most", async () => {
    b = await openBranch({ script: fixing });
    b.branch.sandbox.run = () => Promise.reject(new UacError("sandbox_unavailable", "No sandbox: the disk is away."));
    expect(await again()).toMatchObject({ code: "broke_off", reason: expect.stringContaining("the disk is away") });
    expect(b.llm.requests.length).toBeLessThanOrEqual(1);
    expect(b.state.commits).toBe(0);
  });
});

describe("what became of the tests", () => {
  const edited = { path: "test/a.test.js", how: "edited", added: [], removed: ["expect(1)"], before: null, after: null } as const;
  const node = (ran: number) => `ℹ tests ${ran}\nℹ skipped 0\n`;
  const ownRun = { kind: "edited_after_tests", text: "Lisa ran no tests after the last edit" };

  it.each<[string, BranchOptions & Given, object]>([
    [
      "edited, and they pass as they were too",
      { testChanges: [edited], tests: [1, 0, 0] },
      {
        outcome: "succeeded",
        receipt: { verdict: "verified", testsOfBase: { exitCode: 0 }, flags: [{ kind: "assertions_removed" }, { kind: "tests_edited" }] },
      },
    ],
    [
      "edited, and they fail as they were",
      { testChanges: [edited], tests: [0, 0, 1] },
      { outcome: "succeeded", receipt: { verdict: "unverified", testsOfBase: { exitCode: 1 } } },
    ],
    [
      "edited, and they fail as they were, where verification is demanded",
      { testChanges: [edited], tests: [0, 0, 1], order: { requireVerified: true } },
      { outcome: "failed", code: "not_verified", reason: expect.stringContaining("fail as they were before it") },
    ],
    [
      "edited, and they fail now: nothing more is run",
      { testChanges: [edited], tests: [0, 1, 0] },
      { outcome: "failed", code: "regressed", receipt: { testsOfBase: null } },
    ],
    [
      "fewer of them, by their runner's count",
      { tests: [0, 0], output: (n) => node(n === 0 ? 3 : 2), order: { requireVerified: true } },
      { outcome: "failed", code: "not_verified", receipt: { verdict: "unverified", flags: [{ kind: "fewer_tests" }] } },
    ],
    [
      "none that ran",
      { tests: [0, 0], output: () => node(0) },
      { receipt: { verdict: "unverified", testsAfter: { counted: { ran: 0 } } } },
    ],
  ])("%s", async (_, options, expected) => {
    expect(await worked(options)).toMatchObject(expected);
  });

  it("are put back only for a run of their own, and only if they were touched", async () => {
    await worked({ testChanges: [edited], tests: [1, 0, 0] });
    expect([b.state.putBack, b.state.runs]).toEqual([["test/a.test.js"], 3]);
    await b.close();
    await worked({ testChanges: [{ ...edited, how: "added" }], tests: [1, 0, 0] });
    expect([b.state.putBack, b.state.runs]).toEqual([[], 2]);
  });

  it("a VP that edits after its last run of them is told of", async () => {
    const late = await worked({
      script: [{ tools: [use("edit")] }, { tools: [use("bash", { command: "npm test" })] }, { tools: [use("edit")] }, finish()],
    });
    expect(late.receipt).toMatchObject({ verdict: "verified", flags: [ownRun] });
    await b.close();
    const inTime = await worked({
      script: [{ tools: [use("edit")] }, { tools: [use("bash", { command: "cd . && npm test 2>&1 | tail" })] }, finish()],
    });
    expect(inTime.receipt?.flags).toEqual([]);
    await b.close();
    const never = await worked({ script: [{ tools: [use("edit")] }, finish()] });
    expect(never.receipt?.flags).toEqual([{ ...ownRun, text: "Lisa ran no tests" }]);
  });

  it("tells no secret that a file's name holds", async () => {
    const outcome = await worked({ testChanges: [{ ...edited, how: "deleted", path: `test/${branchSecret}.test.js` }], tests: [1, 1] });
    expect(outcome.receipt?.flags[0]?.text).toBe("a test file is gone: test/[BRANCH_SECRET].test.js");
  });
});

describe("what the token does not grant", () => {
  it("exec: no test is run, and that is said", async () => {
    const outcome = await worked({ token: { act: ["read", "write", "commit"] }, script: [{ tools: [use("edit")] }, finish()] });
    expect(outcome).toMatchObject({
      outcome: "succeeded",
      receipt: { verdict: "unverified", why: expect.stringContaining("no command may run") },
    });
    expect(b.state.commands).toEqual([]);
  });

  it("commit: nothing is committed, and the diff, tested as ever, is the result", async () => {
    const outcome = await worked({ token: { act: ["read", "write", "exec"] } });
    expect(outcome.receipt).toMatchObject({ head: null, branch: null, verdict: "verified", diffstat: { files: 1 } });
    expect(outcome.receipt?.patch).not.toBeNull();
    expect(outcome).toMatchObject({ outcome: "succeeded", reason: expect.stringContaining("the diff is the result") });
    expect(b.state.commits).toBe(0);
  });
});

describe("what never starts", () => {
  it.each<[string, BranchOptions & Given, RegExp]>([
    ["an unknown workspace", { order: { workspace: "garage" } }, /no workspace garage/],
    ["no workspace, with several to choose from", { env: { WORKSPACES: "a=/a,b=/b" }, order: { workspace: null } }, /no workspace/],
    ["a VP that was pruned", { env: { ENABLE_VP_CODER: "false" } }, /no VP coder/i],
  ])("%s", async (_, options, reason) => {
    const outcome = await worked(options);
    expect(outcome).toMatchObject({ outcome: "failed", code: "not_started", reason: expect.stringMatching(reason), receipt: null });
    expect(b.llm.requests).toEqual([]);
  });

  it("the only workspace is taken where none is named", async () => {
    expect((await worked({ order: { workspace: null } })).outcome).toBe("succeeded");
  });
});

describe("an attempt that is stopped", () => {
  it.each([
    ["the owner stopped it", "cancelled", "cancelled", "the owner stopped it"],
    [releasing, "released", "released", releasing],
  ])("by %s is %s", async (why, outcome, code, reason) => {
    const abort = new AbortController();
    b = await openBranch({
      script: () => {
        abort.abort(why);
        return { tools: [use("edit")] };
      },
    });
    expect(await again({ signal: abort.signal })).toMatchObject({ outcome, code, reason, receipt: null });
    expect(b.state.commits).toBe(0);
  });

  it("while its tests run after the work is cancelled too", async () => {
    const abort = new AbortController();
    b = await openBranch({ script: fixing });
    const { run } = b.branch.sandbox;
    b.branch.sandbox.run = async (...args) => {
      if (b.state.edited) abort.abort("too late");
      return run(...args);
    };
    expect(await again({ signal: abort.signal })).toMatchObject({ outcome: "cancelled", reason: "too late" });
  });
});

describe("after a restart", () => {
  it("the work goes on; the tests at base, the commands and the time are those of the first start", async () => {
    b = await openBranch({ script: [{ tools: [use("bash")] }, { tools: [use("edit")] }] });
    await expect(again()).resolves.toMatchObject({ code: "broke_off" });
    await b.restart();
    await b.advance(60_000);
    b.speak([finish()]);
    const outcome = await again();
    expect(outcome.receipt).toMatchObject({
      verdict: "verified",
      testsBefore: { exitCode: 1 },
      testsAfter: { exitCode: 0 },
      steps: 3,
      wallMs: 60_000,
    });
    expect(outcome.receipt?.commands).toHaveLength(1);
    expect(b.edit.calls).toHaveLength(1);
    expect(b.state.runs, "once before, once after").toBe(2);
  });

  it("its time does not begin anew", async () => {
    b = await openBranch({ script: [{ tools: [use("edit")] }] });
    await again();
    await b.advance(defaultLimits.wallS * 1000);
    expect(await again()).toMatchObject({ code: "time_limit" });
  });
});

describe("what the VP left running", () => {
  it("has ended before anything is committed", async () => {
    b = await openBranch({ script: fixing });
    const { workspaces } = b.branch;
    const closedBefore: number[] = [];
    b.branch.workspaces = {
      ...workspaces,
      commit: (...what) => {
        closedBefore.push(b.state.handsClosed);
        return workspaces.commit(...what);
      },
    };
    expect(await again()).toMatchObject({ outcome: "succeeded" });
    expect(closedBefore).toEqual([1]);
  });

  it("and ended with a restart is told to the model, once", async () => {
    b = await openBranch({ script: fixing });
    const { handsFor } = b.branch;
    const note = "job 1-1 ended";
    const news: Hands["news"] = (entries) => (entries.some((entry) => entry.type === "user" && entry.text === note) ? [] : [note]);
    b.branch.handsFor = (bench) => ({ ...handsFor(bench), news });
    await again();
    const heard = b.llm.requests.map(({ messages }) => JSON.stringify(messages).split(note).length - 1);
    expect(heard).toEqual([1, 1, 1]);
  });
});

it("breaks off with a reason where the host can't go on", async () => {
  b = await openBranch({ script: fixing });
  b.branch.workspaces.commit = () => Promise.reject(new UacError("workspace_failed", "The disk is full."));
  const outcome = await again();
  expect(outcome).toMatchObject({ outcome: "failed", code: "broke_off", reason: expect.stringContaining("The disk is full.") });
});

it("rejects where the journal can't be written: then nothing could be reported either", async () => {
  b = await openBranch({ script: fixing });
  const away = new UacError("store_unavailable", "away");
  b.branch.journal = { ...b.journal, settle: () => Promise.reject(away) };
  await expect(again()).rejects.toBe(away);
});

it("tells no secret of the branch's, not in any field", async () => {
  const outcome = await worked({
    script: [{ text: `I found ${branchSecret}`, tools: [use("edit")] }, branchSecret, finish("done", `It was ${branchSecret}.`)],
  });
  expect(outcome.receipt?.patch).toContain("[BRANCH_SECRET]");
  expect(outcome.summary).toBe("It was [BRANCH_SECRET].");
  expect(JSON.stringify(outcome) + story.join()).not.toContain(branchSecret);
});
