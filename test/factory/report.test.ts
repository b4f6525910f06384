import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { joseSigner, newKeyPair } from "#adapters/signer/jose.ts";
import { orderLifeS, wireVersion } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { noTotal, noUsage } from "#core/ledger.ts";
import type { Receipt } from "#core/receipt.ts";
import { acceptOrder, claimAttempt } from "#factory/accept.ts";
import { flushReports, reportResult, resendReports, ringDoorbell } from "#factory/report.ts";
import { seal } from "#factory/seal.ts";
import type { BusEntry } from "#ports/bus.ts";
import { ledgerEntry } from "../support/ledger.ts";
import { type BranchBench, openBranch } from "./branch.ts";
import { resultOf, startMs } from "./headquarters.ts";

let b: BranchBench;
beforeEach(async () => {
  b = await openBranch();
});
afterEach(() => b.close());

const pending = async () => {
  const from = [{ factory: "desk-1", channel: "in" as const }];
  return (await b.bus.read({ from, consumer: "desk-1", what: "own", count: 100, blockMs: 0 })).length;
};
const usage = (n: number) => ledgerEntry({ id: `usage_${String(n).padStart(4, "0")}`, task: "t1-1-1", step: n });
const receipt: Receipt = {
  ...{ verdict: "verified", why: "the tests pass", base: null, head: "c".repeat(40), branch: "uac/t1-1-1-1" },
  ...{ diffstat: { files: 1, insertions: 1, deletions: 1, text: "" }, patch: "p", patchSha256: null, commands: [], testsBefore: null },
  ...{ testsAfter: null, testsOfBase: null, flags: [], steps: 1, usage: noTotal, wallMs: 1, limitsHit: [], approvals: [] },
};
async function accepted() {
  const attempt = await acceptOrder(b.branch, (await b.order()).entry);
  if (!attempt) throw new Error("not accepted");
  return attempt;
}

describe("an order", () => {
  it("becomes an attempt once; it stays pending until its result is told", async () => {
    const { entry, id } = await b.order();
    expect(await acceptOrder(b.branch, entry)).toMatchObject({ orderId: id, entryId: entry.id, state: "accepted", starts: 0 });
    expect(await acceptOrder(b.branch, entry), "delivered again after a restart").toBeNull();
    expect(await pending()).toBe(1);
    expect(await b.journal.open()).toHaveLength(1);
  });

  it("that comes in a second entry is let go at once", async () => {
    const { entry, jws } = await b.order();
    await acceptOrder(b.branch, entry);
    expect(await acceptOrder(b.branch, await b.put(jws))).toBeNull();
    expect(await pending()).toBe(1);
  });

  it("that was reported is let go when it comes again", async () => {
    const { entry } = await b.order();
    await acceptOrder(b.branch, entry);
    await b.journal.drop("t1-1-1", 1, 0);
    expect(await acceptOrder(b.branch, entry)).toBeNull();
    expect(await pending()).toBe(0);
  });

  it("that was trimmed away is let go, and told to headquarters (fault 15)", async () => {
    const { entry } = await b.order();
    expect(await acceptOrder(b.branch, { ...entry, data: null })).toBeNull();
    await flushReports(b.branch);
    expect(await b.said()).toMatchObject([{ kind: "reject", body: { entry: entry.id, reason: expect.stringContaining("trimmed") } }]);
    expect(await pending()).toBe(0);
  });

  it("that was trimmed away when the journal had it is let go, and no loss", async () => {
    const { entry } = await b.order();
    await acceptOrder(b.branch, entry);
    expect(await acceptOrder(b.branch, { ...entry, data: null })).toBeNull();
    await flushReports(b.branch);
    expect(await b.said()).toEqual([]);
    expect(await b.journal.open()).toHaveLength(1);
    expect(await pending()).toBe(0);
  });

  it.each<[string, (entry: BusEntry) => Promise<string>]>([
    ["unsigned", async () => "hello"],
    ["signed by another", async () => (await joseSigner((await newKeyPair()).privateJwk)).prove("order")],
    ["altered", async ({ data }) => `${data?.slice(0, -3)}AAA`],
    ["too old", ({ data }) => b.advance((orderLifeS + 61) * 1000).then(() => data ?? "")],
  ])("%s is refused, told to headquarters, and never journalled", async (_, make) => {
    const { entry } = await b.order();
    expect(await acceptOrder(b.branch, { ...entry, data: await make(entry) })).toBeNull();
    expect(await b.journal.open()).toEqual([]);
    await flushReports(b.branch);
    const [said] = await b.said();
    expect(said).toMatchObject({ kind: "reject", body: { entry: entry.id, reason: expect.stringContaining("The message") } });
    expect(await pending()).toBe(0);
  });

  it("a message of another kind among the orders is refused", async () => {
    const { entry } = await b.order();
    const from = { self: "hq", signer: b.hqSigner, clock: b.clock, ids: b.branch.ids };
    const { jws } = await seal(
      from,
      "control",
      { id: "ctl_0001", seq: 1, do: "cancel", task: "t1-1-1", epoch: 1, reason: "no" },
      { aud: "desk-1", corr: null },
    );
    expect(await acceptOrder(b.branch, { ...entry, data: jws })).toBeNull();
    await flushReports(b.branch);
    expect((await b.said())[0]).toMatchObject({ kind: "reject", body: { reason: "a control does not belong among the orders" } });
  });
});

describe("a claim", () => {
  it.each([
    ["conflict", "refused"],
    ["forbidden", "refused"],
    ["gone", "refused"],
    ["not_found", "refused"],
    ["hq_unreachable", "unreachable"],
    ["bad_envelope", "unreachable"],
    ["store_unavailable", "unreachable"],
    ["unauthenticated", "unreachable"],
  ] as const)("answered with %s is %s", async (code, outcome) => {
    b.branch.hq.claim = () => Promise.reject(new UacError(code, "no"));
    expect(await claimAttempt(b.branch, await accepted())).toBe(outcome);
  });

  it("granted has a token", async () => {
    expect(await claimAttempt(b.branch, await accepted())).toMatchObject({ token: expect.stringContaining("."), resumed: false });
  });
});

describe("a result", () => {
  it("is told and its order acknowledged in one step, with the ledger", async () => {
    const attempt = await accepted();
    for (let n = 1; n <= 3; n += 1) await b.journal.settle(usage(n), 1);
    await reportResult(b.branch, attempt, resultOf({ receipt }));
    expect(await b.journal.open()).toEqual([]);
    expect(await pending()).toBe(1);
    expect(await flushReports(b.branch)).toBe(1);
    expect(await pending()).toBe(0);
    const [said] = await b.said();
    expect(said).toMatchObject({ kind: "result", seq: startMs, corr: "t1-1-1", body: { receipt, usages: [usage(1), usage(2), usage(3)] } });
    expect(await flushReports(b.branch), "once").toBe(0);
  });

  it("survives a restart and a bus that is away", async () => {
    await reportResult(b.branch, await accepted(), resultOf());
    b.bus.fail("finish", "before");
    expect(await flushReports(b.branch)).toBe(0);
    await b.restart();
    expect(await flushReports(b.branch)).toBe(1);
    expect(await b.said()).toHaveLength(1);
  });

  it("is the same report again where nobody knows whether it arrived", async () => {
    await reportResult(b.branch, await accepted(), resultOf());
    b.bus.fail("finish", "after");
    await flushReports(b.branch);
    await flushReports(b.branch);
    const [first, second] = await b.said();
    expect(second).toEqual(first);
  });

  it("with a ledger too long for one message sends it ahead, each entry once", async () => {
    const attempt = await accepted();
    for (let n = 1; n <= 430; n += 1) await b.journal.settle(usage(n), 1);
    await reportResult(b.branch, attempt, resultOf());
    expect(await toldUsages()).toEqual({ kinds: ["usage", "result"], ids: 430 });
  });

  /** Everything that was said, in order, and how many different entries of the ledger it tells. */
  async function toldUsages() {
    await flushReports(b.branch);
    const said = await b.said();
    const ids = said.flatMap(({ body }) => ("usages" in body ? body.usages.map(({ id }) => id) : []));
    expect(new Set(ids).size).toBe(ids.length);
    expect(await b.journal.untold(10)).toEqual([]);
    return { kinds: said.map(({ kind }) => kind), ids: ids.length };
  }

  const widest = (n: number) => {
    const wide = (length: number) => "🙂".repeat(length / 2);
    return ledgerEntry({
      ...{ id: `${"u".repeat(60)}${String(n).padStart(4, "0")}`, task: "t1-1-1", step: n, factory: "desk-1", persona: wide(64) },
      ...{ seat: wide(32), engine: wide(32), provider: wide(64), requestedModel: wide(128), model: wide(128), requestId: wide(128) },
      ...{ messageId: wide(128), prices: wide(64), at: 2 ** 52, durationMs: 2 ** 52, cost: 10 ** 12, billed: 10 ** 12 },
      usage: Object.fromEntries(Object.keys(noUsage).map((kind) => [kind, 100_000_000])) as typeof noUsage,
    });
  };

  it("with as many of the widest entries as a report may hold, and the largest patch, loses none of them", async () => {
    const attempt = await accepted();
    for (let n = 1; n <= 400; n += 1) await b.journal.settle(widest(n), 1);
    const patch = "x".repeat(150_000);
    await reportResult(b.branch, attempt, resultOf({ receipt: { ...receipt, patch }, log: "l".repeat(15_000) }));
    const { kinds, ids } = await toldUsages();
    expect({ ids, last: kinds.at(-1), before: new Set(kinds.slice(0, -1)) }).toEqual({
      ids: 400,
      last: "result",
      before: new Set(["usage"]),
    });
  });

  it("keeps its patch: the ledger goes ahead where both do not fit", async () => {
    const attempt = await accepted();
    for (let n = 1; n <= 200; n += 1) await b.journal.settle(usage(n), 1);
    const patch = "x".repeat(150_000);
    await reportResult(b.branch, attempt, resultOf({ receipt: { ...receipt, patch } }));
    await flushReports(b.branch);
    const said = await b.said();
    expect(said.map(({ kind }) => kind)).toEqual(["usage", "result"]);
    expect(said[1]).toMatchObject({ body: { receipt: { patch }, usages: [] } });
  });

  const command = { command: "x".repeat(2000), exitCode: 0, durationMs: 1 };
  it.each<[string, Receipt, object]>([
    ["its patch", { ...receipt, patch: "ä".repeat(150_000) }, { receipt: { patch: null, head: receipt.head }, log: "the log" }],
    [
      "patch, log and commands",
      { ...receipt, commands: Array.from({ length: 400 }, () => command) },
      { log: "", receipt: { patch: null } },
    ],
    ["a patch that grew beyond its bound", { ...receipt, patch: "x".repeat(150_001) }, { receipt: { patch: null } }],
  ])("too large for the bus leaves behind %s", async (_, large, told) => {
    await reportResult(b.branch, await accepted(), resultOf({ receipt: large, log: "the log" }));
    expect(await flushReports(b.branch)).toBe(1);
    expect((await b.said())[0]).toMatchObject({ kind: "result", body: { outcome: "succeeded", ...told } });
  });

  it("that no reader would accept is told as a failure", async () => {
    await reportResult(b.branch, await accepted(), resultOf({ receipt: { ...receipt, steps: -1 } }));
    await flushReports(b.branch);
    expect((await b.said())[0]).toMatchObject({ body: { outcome: "failed", code: "unreportable", receipt: null } });
  });

  it("stops at the first that can't be sent, so that the order stays", async () => {
    for (const task of ["t1-1-1", "t2-1-1"]) {
      const attempt = await acceptOrder(b.branch, (await b.order({ task })).entry);
      if (attempt) await reportResult(b.branch, attempt, resultOf({ task }));
    }
    b.bus.fail("finish", "before");
    expect(await flushReports(b.branch)).toBe(0);
    expect(await flushReports(b.branch)).toBe(2);
    expect((await b.said()).map(({ corr, seq }) => [corr, seq])).toEqual([
      ["t1-1-1", startMs],
      ["t2-1-1", startMs + 1],
    ]);
  });

  it("of many slots at once has a number of its own", async () => {
    const attempts = [];
    for (let i = 0; i < 8; i += 1) attempts.push(await acceptOrder(b.branch, (await b.order({ task: `t${i}-1-1` })).entry));
    await Promise.all(attempts.map((attempt, i) => attempt && reportResult(b.branch, attempt, resultOf({ task: `t${i}-1-1` }))));
    await flushReports(b.branch);
    expect((await b.said()).map(({ seq }) => seq).toSorted()).toEqual(Array.from({ length: 8 }, (_, i) => startMs + i));
  });
});

describe("a report that headquarters missed", () => {
  async function told() {
    const attempt = await accepted();
    await b.journal.settle(usage(1), 1);
    await reportResult(b.branch, attempt, resultOf());
    await flushReports(b.branch);
    return b.said();
  }

  it("is sent again as it was, also after a restart, until it was heard", async () => {
    const [first] = await told();
    await b.restart();
    expect(await resendReports(b.branch, [startMs, startMs + 1])).toBe(1);
    expect(await b.said()).toEqual([first]);
    expect(await resendReports(b.branch, [startMs]), "a moment ago").toBe(0);
    await b.advance(60_000);
    await b.journal.heard(startMs);
    expect(await resendReports(b.branch, [startMs])).toBe(0);
  });

  it("is sealed anew where it expired meanwhile, with its number", async () => {
    const [first] = await told();
    await b.advance(31 * 86_400_000);
    await resendReports(b.branch, [startMs]);
    const [again] = await b.said();
    expect(again).toMatchObject({ kind: "result", seq: startMs, corr: first?.corr, body: first?.body });
    await b.advance(86_400_000);
    await resendReports(b.branch, [startMs]);
    expect(await b.said(), "and is kept so").toEqual([again]);
  });

  it("waits where the bus is away, which is told, and is as due as before", async () => {
    await told();
    b.bus.fail("publish", "before");
    const failures: unknown[] = [];
    expect(await resendReports(b.branch, [startMs], (error) => failures.push(error))).toBe(0);
    expect(failures).toMatchObject([{ code: "bus_unavailable" }]);
    expect(await resendReports(b.branch, [startMs])).toBe(1);
  });
});

describe("a report of an earlier version of the program", () => {
  const sealedAs = async (changed: object) => {
    const [head = "", , tail = ""] = (await b.order()).jws.split(".");
    return `${head}.${Buffer.from(JSON.stringify({ v: 1, ...changed })).toString("base64url")}.${tail}`;
  };
  const put = (data: string) => b.journal.send({ id: "env_old", seq: 59, data, ackEntry: null }, [], 1);

  it("is sealed anew", async () => {
    const body = resultOf({ summary: "naïve 🙂" });
    await put(await sealedAs({ kind: "result", seq: 3, exp: 9e12, corr: "t1-1-1", body }));
    expect(await flushReports(b.branch)).toBe(1);
    expect(await b.said()).toMatchObject([{ kind: "result", seq: 59, corr: "t1-1-1", body }]);
  });

  it("keeps its work and its money, though its entries said less", async () => {
    const { id, task, epoch, step, factory, persona, provider, model, at, durationMs, usage: used, source, cost, outcome } = usage(1);
    const before = { id, task, epoch, step, factory, persona, provider, model, at, durationMs, usage: used, source, cost, outcome };
    const { usage: _, ...unsummed } = receipt;
    const body = { ...resultOf(), receipt: unsummed, usages: [before] };
    await put(await sealedAs({ v: 2, kind: "result", seq: 59, exp: 9e12, corr: "t1-1-1", body }));
    expect(await flushReports(b.branch)).toBe(1);
    const entry = { ...before, try: 1, seat: "coder", engine: "uac", requestedModel: model, billing: "metered", billed: cost };
    expect(await b.said()).toMatchObject([{ kind: "result", v: wireVersion, body: { outcome: "succeeded", usages: [entry] } }]);
  });

  it.each<[string, () => Promise<string>]>([
    ["of another form", () => sealedAs({ kind: "result", seq: 3, exp: 9e12, corr: "t1-1-1", body: { task: "t1-1-1" } })],
    ["of a kind that is none", () => sealedAs({ kind: "order", seq: 3, exp: 9e12, corr: "t1-1-1", body: {} })],
    ["that is no envelope", async () => "x.y.z"],
  ])("%s leaves no gap: it is said that it can't be read", async (_, make) => {
    await put(await make());
    await flushReports(b.branch);
    expect(await b.said()).toMatchObject([
      { kind: "reject", seq: 59, body: { entry: "env_old", reason: expect.stringContaining("earlier version") } },
    ]);
  });
});

it("a doorbell that nobody hears harms nothing", async () => {
  b.branch.hq.ring = () => Promise.reject(new UacError("hq_unreachable", "away"));
  await ringDoorbell(b.branch, "result");
  b.branch.signer.seal = () => Promise.reject(new Error("broken"));
  await ringDoorbell(b.branch, "result");
  expect(b.lines.filter((line) => line.includes("the doorbell was not heard"))).toHaveLength(2);
});
