/** A workspace's set-up, in a factory at work: it runs once, only if exactly it was approved, and what became of it is told. */
import { describe, expect, it } from "vitest";
import { UacError } from "#core/errors.ts";
import { setupDigest } from "#factory/setup-digest.ts";
import { finish, use } from "./agent.ts";
import { again, answers, attempt, atWork, b, halt, open, results, running, send, start, told, until, watchBeats } from "./at-work.ts";
import type { BranchOptions } from "./branch.ts";

atWork();

const setup = { workspace: "shop", command: "npm ci", hosts: ["registry.npmjs.org:443"] };
const digest = await setupDigest("desk-1", setup);
const script = (_: unknown, call: number) => (call === 0 ? { tools: [use("edit")] } : finish());
const approve = (allow: "once" | "always" | "never", changed: object = {}) =>
  ({ id: "ctl_1", seq: 1, do: "approve", ...attempt, digest, allow, by: "Ann", ...changed }) as const;
type Run = { task: string; paused: boolean; approval?: { digest: string; command: string } };
const said = (bodies: () => Record<string, unknown>[]) => (bodies().at(-1)?.running as Run[] | undefined)?.[0];
async function waits(bodies: () => Record<string, unknown>[], what = digest) {
  await until(async () => {
    await b.advance(1000);
    return said(bodies)?.paused && said(bodies)?.approval?.digest === what;
  });
}
async function begun(options: BranchOptions = {}) {
  // The set-up's own run is the first that the sandbox makes.
  await open({ script, tests: [0, 1, 0], setup, ...options });
  const bodies = watchBeats();
  start();
  await send();
  return bodies;
}
async function receipt() {
  const [result] = (await results(1)) as { body: { receipt: Record<string, unknown> } }[];
  return result?.body.receipt;
}

describe("a set-up that nobody approved", () => {
  it("does not run: the run stands still before the tests, with its time, and headquarters hears of exactly what is asked", async () => {
    const bodies = await begun();
    await waits(bodies);
    expect(said(bodies)?.approval).toEqual({ ...setup, digest });
    await b.advance(3_600_000);
    expect([b.state.commands, b.llm.requests.length]).toEqual([[], 0]);
  });

  it.each(["once", "always"] as const)(
    "runs before the tests where the answer is %s, and the receipt names the approval",
    async (allow) => {
      await waits(await begun());
      await told(approve(allow));
      expect(await receipt()).toMatchObject({
        setup: { state: "ran", command: "npm ci", hosts: setup.hosts, digest, by: "Ann", exitCode: 0 },
        approvals: [`setup ${digest.slice(0, 12)} by Ann`],
        verdict: "verified",
      });
      expect(b.state.commands).toEqual(["npm ci", "npm test", "npm test"]);
    },
  );

  it("reaches the workspace's hosts, and the tests reach none", async () => {
    await open({ script, tests: [0, 1, 0], setup });
    const reached: (readonly string[])[] = [];
    const { run } = b.branch.sandbox;
    b.branch.sandbox.run = (scope, command) => {
      reached.push(scope.network);
      return run(scope, command);
    };
    const bodies = watchBeats();
    start();
    await send();
    await waits(bodies);
    await told(approve("once"));
    await receipt();
    expect(reached).toEqual([setup.hosts, [], []]);
  });

  it("is left out where the answer is that, and the model is told", async () => {
    await waits(await begun({ tests: [1, 0] }));
    await told(approve("never"));
    expect(await receipt()).toMatchObject({ setup: { state: "declined", by: "Ann", exitCode: null }, approvals: [] });
    expect(b.state.commands).toEqual(["npm test", "npm test"]);
    expect(JSON.stringify(b.llm.requests[0]?.messages)).toContain("npm ci was not run (Ann)");
  });

  it("29: is not run by an approval of another one", async () => {
    const bodies = await begun();
    await waits(bodies);
    await told(approve("always", { digest: "0".repeat(64) }));
    await b.advance(60_000);
    expect(said(bodies)?.approval?.digest).toBe(digest);
    expect(b.state.commands).toEqual([]);
    expect(await setupDigest("desk-1", { ...setup, command: "npm ci " })).not.toBe(digest);
    expect(await setupDigest("desk-2", setup)).not.toBe(digest);
  });

  it("waits over kills, asks for the same, and runs once it is approved", async () => {
    await waits(await begun());
    for (let kill = 0; kill < 4; kill += 1) {
      halt.abort();
      await running;
      again();
      await b.restart();
      const bodies = watchBeats();
      start();
      await waits(bodies);
    }
    await told(approve("once"));
    expect(await receipt()).toMatchObject({ setup: { state: "ran" } });
  });

  it("is approved for the next task too where the answer is always, and asked about anew where it was once", async () => {
    await waits(await begun());
    await told(approve("always"));
    await results(1);
    await send({ task: "t2-1-1" });
    expect((await results(2))[1]).toMatchObject({ body: { task: "t2-1-1", receipt: { setup: { state: "ran", by: "Ann" } } } });
  });

  it("is asked about anew for another task where it was approved once", async () => {
    const bodies = await begun();
    await waits(bodies);
    await told(approve("once"));
    await results(1);
    await send({ task: "t2-1-1" });
    await waits(bodies);
    expect(said(bodies)?.task).toBe("t2-1-1");
  });

  it("ends with the task that is cancelled meanwhile", async () => {
    await waits(await begun());
    await told({ id: "ctl_1", seq: 1, do: "cancel", ...attempt, reason: "stopped by Ann" });
    expect(await results(1)).toMatchObject([{ body: { outcome: "cancelled", reason: "stopped by Ann" } }]);
    expect(b.state.commands).toEqual([]);
  });
});

describe("a set-up that was approved", () => {
  it("and fails is told to the model and in the receipt, and the work goes on", async () => {
    await waits(await begun({ tests: [7, 1, 0] }));
    await told(approve("once"));
    expect(await receipt()).toMatchObject({ setup: { state: "ran", exitCode: 7 }, verdict: "verified" });
    expect(JSON.stringify(b.llm.requests[0]?.messages)).toContain("npm ci ended with 7");
  });

  it("and that the sandbox can't run says why", async () => {
    const bodies = await begun({ tests: [1, 0] });
    const { run } = b.branch.sandbox;
    b.branch.sandbox.run = (scope, command) =>
      scope.network.length > 0 ? Promise.reject(new UacError("sandbox_unavailable", "no way out")) : run(scope, command);
    await waits(bodies);
    await told(approve("once"));
    expect(await receipt()).toMatchObject({ setup: { state: "impossible", tail: "no way out" } });
  });

  it("has run once: after a kill its result stands", async () => {
    await open({ script: () => new Promise<never>(() => {}), tests: [0, 1, 0], setup });
    await b.journal.set(`approved-setup:${digest}`, "Ann");
    start();
    await send();
    await until(() => b.state.commands.length === 2);
    halt.abort();
    again();
    await b.restart();
    b.speak(script);
    start();
    expect(await receipt()).toMatchObject({ setup: { state: "ran" } });
    expect(b.state.commands).toEqual(["npm ci", "npm test", "npm test"]);
  });

  it("is nobody's where no command may run", async () => {
    await open({ script, tests: null, setup, env: {} });
    b.branch.hq.claim = async () => ({
      token: await b.hqSigner.mint(b.token({ act: ["read", "write", "commit"] })),
      leaseUntil: 0,
      resumed: false,
    });
    answers([]);
    start();
    await send();
    expect((await receipt())?.setup).toBeUndefined();
    expect(b.state.commands).toEqual([]);
  });
});
