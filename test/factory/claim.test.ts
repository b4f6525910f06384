import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultCapabilities } from "#core/capability.ts";
import type { Body } from "#core/envelope.ts";
import { leaseMs } from "#core/fleet.ts";
import { defaultLimits } from "#core/limits.ts";
import { opsTokenMinutes } from "#core/ops-token.ts";
import { cancelTask } from "#factory/cancel.ts";
import { grantClaim } from "#factory/claim.ts";
import { delegate } from "#factory/delegate.ts";
import { acceptHeartbeat } from "#factory/heartbeat.ts";
import { requeue } from "#factory/recover.ts";
import { quietBeat, quietReply } from "../support/heartbeats.ts";
import { type Desk, type HqBench, openHq, recover, resultOf, settleResult, wish } from "./headquarters.ts";

let b: HqBench;
let desk: Desk;
let order: string;
beforeEach(async () => {
  b = await openHq();
  desk = await b.join();
  await delegate(b.hq, wish({ limits: { ...defaultLimits, steps: 7 } }));
  order = (await desk.orders())[0]?.id ?? "";
});
afterEach(() => b.close());

const claim = async (by = desk, changed: Partial<Body<"claim">> = {}) =>
  grantClaim(b.hq, await by.factory(), { task: "t1-1-1", epoch: 1, order, ...changed });
const read = (jwt: string, by = desk) => b.hq.verifier.readToken(jwt, by.id, by.signer.kid, b.hq.signer.publicKey, b.clock.now());
const beat = async (running: Body<"heartbeat">["running"] = [], changed: Partial<Body<"heartbeat">> = {}) =>
  acceptHeartbeat(b.hq, await desk.factory(), quietBeat(desk.facts, { rttMs: 12, running, ...changed }));
const run = { task: "t1-1-1", epoch: 1, step: 3, cost: 500, tokens: 0, paused: false, overBudget: null };

describe("claim", () => {
  it("starts the task, and hands out a token for this factory, this task and no more", async () => {
    const { token, leaseUntil, resumed } = await claim();
    expect(resumed).toBe(false);
    expect(leaseUntil).toBe(b.clock.now() + leaseMs);
    expect(await b.task()).toMatchObject({ state: "running", leaseUntil });
    const read1 = await read(token);
    expect(read1).toMatchObject({
      aud: "desk-1",
      tsk: "t1-1-1",
      epoch: 1,
      rep: "shop",
      net: [],
      sec: [],
      lim: { ...defaultLimits, steps: 7 },
    });
    expect(read1.act).toEqual(["read", "write", "exec", "commit"]);
    expect(read1.exp - read1.iat).toBe(opsTokenMinutes * 60);
    expect(read1.cnf.jkt).toBe(desk.signer.kid);
  });

  it("names hosts and secret files where headquarters says them, and hosts where the factory may reach any", async () => {
    const said = { allowHosts: ["registry.example:443"], allowSecretFiles: [".env.test"] };
    const netOf = async (hq: boolean, factory: boolean) => {
      const capabilities = { ...b.hq.profile.capabilities, network: hq };
      const deps = { ...b.hq, profile: { ...b.hq.profile, ...said, capabilities } };
      const known = await desk.factory();
      const facts = known.facts && { ...known.facts, capabilities: { ...known.facts.capabilities, network: factory } };
      const { token } = await grantClaim(deps, { ...known, facts }, { task: "t1-1-1", epoch: 1, order });
      const { net, sec } = await read(token);
      expect(sec).toEqual([".env.test"]);
      return net;
    };
    expect(await netOf(true, true)).toEqual(["registry.example:443"]);
    expect(await netOf(false, true)).toEqual([]);
    expect(await netOf(true, false)).toEqual([]);
  });

  it("asked again is the same claim, with a lease as long", async () => {
    await claim();
    await b.clock.advance(60_000);
    expect(await claim()).toMatchObject({ resumed: true, leaseUntil: b.clock.now() + leaseMs });
    expect((await b.store.tasks.events("t1-1-1")).filter((event) => event.kind === "claimed")).toHaveLength(1);
  });

  it.each<[string, Partial<Body<"claim">>]>([
    ["another attempt", { epoch: 2 }],
    ["another order", { order: "env_0000000000000099" }],
    ["an unknown task", { task: "t9-9-9" }],
  ])("refuses %s, and changes nothing", async (_, changed) => {
    const before = await b.snapshot();
    await expect(claim(desk, changed)).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("is not desk-1's") });
    expect(await b.snapshot()).toEqual(before);
  });

  it("refuses another factory", async () => {
    await expect(claim(await b.join("desk-2"))).rejects.toMatchObject({ code: "conflict" });
    expect((await b.task()).state).toBe("dispatched");
  });

  it.each(["cancel", "requeue", "end"] as const)("refuses an order that was overtaken: %s", async (how) => {
    if (how === "cancel") await b.store.tasks.move("t1-1-1", 1, "cancel", { kind: "cancelled", text: "", code: "" }, b.clock.now());
    if (how === "requeue") await requeue(b.hq, await b.task(), "lose", "gone", "lost");
    if (how === "end") {
      await claim();
      await settleResult(b.hq, "desk-1", resultOf());
    }
    await expect(claim()).rejects.toMatchObject({ code: "conflict" });
  });

  it.each(["paused", "retired"] as const)("gives no work to a factory that is %s", async (status) => {
    await b.store.factories.setStatus("desk-1", status, b.clock.now());
    await expect(claim()).rejects.toMatchObject({ code: "forbidden", message: expect.stringContaining(status) });
    expect((await b.task()).state).toBe("dispatched");
  });

  it("gives a draining factory what it has taken in already", async () => {
    await b.store.factories.setStatus("desk-1", "draining", b.clock.now());
    expect(await claim()).toMatchObject({ resumed: false });
  });

  it("grants no more than the factory's capabilities", async () => {
    const capabilities = { ...defaultCapabilities("branch"), shell: false, git: false };
    await beat([], { facts: { ...desk.facts, capabilities } });
    expect((await read((await claim()).token)).act).toEqual(["read", "write"]);
  });
});

describe("heartbeat", () => {
  it("notes the facts, and asks nothing of a factory that is idle", async () => {
    await b.clock.advance(1000);
    expect(await beat()).toEqual(quietReply({ now: b.clock.now() }));
    expect(await desk.factory()).toMatchObject({ lastHeartbeatAt: b.clock.now(), rttMs: 12 });
  });

  it("renews the lease, the figures and the token of what runs", async () => {
    await claim();
    await b.clock.advance(100_000);
    const { tokens, stop } = await beat([run]);
    expect(stop).toEqual([]);
    expect(await read(tokens[0]?.token ?? "")).toMatchObject({ tsk: "t1-1-1", epoch: 1, iat: b.clock.now() / 1000 });
    expect(await b.task()).toMatchObject({ leaseUntil: b.clock.now() + leaseMs, step: 3 });
  });

  it("says what to stop, why, and sends no token for it", async () => {
    await claim();
    const other = { ...run, task: "t9-9-9" };
    await cancelTask(b.hq, "t1-1-1", "not needed");
    const lease = (await b.task()).leaseUntil;
    await b.clock.advance(1000);
    expect(await beat([run, other, { ...run, epoch: 2 }])).toMatchObject({
      stop: [
        { task: "t9-9-9", reason: "headquarters knows no such task" },
        { task: "t1-1-1", epoch: 2 },
      ],
      controls: [{ do: "cancel", task: "t1-1-1", epoch: 1, reason: "not needed" }],
      tokens: [],
    });
    expect((await b.task()).leaseUntil, "a cancelled task is not kept alive").toBe(lease);
  });

  it("sends a token for what goes on beside what is to stop", async () => {
    await claim();
    await delegate(b.hq, wish({ id: "t2-1-1" }));
    const second = (await desk.orders())[0]?.id ?? "";
    await grantClaim(b.hq, await desk.factory(), { task: "t2-1-1", epoch: 1, order: second });
    await cancelTask(b.hq, "t1-1-1", "not needed");
    const { tokens, stop, controls } = await beat([run, { ...run, task: "t2-1-1" }]);
    expect(stop).toEqual([]);
    expect(controls).toMatchObject([{ do: "cancel", task: "t1-1-1" }]);
    expect(tokens.map(({ task }) => task)).toEqual(["t2-1-1"]);
  });

  it("hears a factory that waits for approval, and tells it so", async () => {
    await b.store.factories.setStatus("desk-1", "pending", b.clock.now());
    expect(await beat([run])).toMatchObject({ status: "pending", stop: [], tokens: [] });
  });

  it("refuses a retired one", async () => {
    await b.store.factories.setStatus("desk-1", "retired", b.clock.now());
    await expect(beat()).rejects.toMatchObject({ code: "forbidden" });
  });

  it("asks for what did not come, and notes each gap once", async () => {
    await b.clock.advance(1000);
    const reports = { first: 501, last: 503 };
    const heard = async (...seqs: number[]) => b.store.tasks.settle("desk-1", { results: [], usages: [], incidents: [], heard: seqs }, 0);
    const later = async (told = reports) => {
      await b.clock.advance(60_000);
      await recover(b.hq);
      return beat([], { reports: told });
    };
    expect(await later()).toMatchObject({ heard: 500, resend: [] });
    await heard(501);
    expect(await later()).toMatchObject({ heard: 501, resend: [502, 503] });
    expect(await later()).toMatchObject({ heard: 501, resend: [502, 503] });
    await heard(502);
    expect(await later()).toMatchObject({ heard: 502, resend: [503] });
    const gaps = () => b.rows("select text, tries from incidents where kind = 'gap' order by id");
    expect(await gaps()).toEqual([{ text: expect.stringContaining("2 reports of desk-1 did not come (from no. 502 on)"), tries: 3 }]);
    expect(await later({ first: 9001, last: 9001 })).toMatchObject({ heard: 9000, resend: [] });
    expect((await gaps()).map(({ text }) => text)).toContainEqual(expect.stringContaining("no. 503 to 9000"));
  });

  it("costs no call more with reports and orders to compare", async () => {
    const idle = await b.count(() => beat());
    expect(idle.sql, "whose it is, one batch, what it is to do, what it may spend").toBe(4);
    const accepted = [{ task: "t1-1-1", epoch: 1 }];
    expect(await b.count(() => beat([], { reports: { first: 1, last: 9 }, accepted }))).toEqual(idle);
  });

  it("takes as many calls for many tasks as for one", async () => {
    await claim();
    const one = await b.count(() => beat([run]));
    const many = await b.count(() => beat(Array.from({ length: 40 }, (_, i) => ({ ...run, task: `t${i}-1-1` }))));
    expect(many.sql).toBeLessThanOrEqual(one.sql);
    expect(one.sql).toBe(6);
  });
});
