import { describe, expect, it } from "vitest";
import { UacError } from "#core/errors.ts";
import { seal } from "#factory/seal.ts";
import { quietReply } from "../support/heartbeats.ts";
import { finish, use } from "./agent.ts";
import {
  again,
  answers,
  atWork,
  b,
  beats,
  drain,
  halt,
  isThinking,
  modelCalls,
  open,
  pending,
  quick,
  results,
  running,
  send,
  start,
  until,
} from "./at-work.ts";
import { orderOf } from "./branch.ts";

atWork();

describe("orders", () => {
  it("are worked and told, and a drain ends when nothing is left", async () => {
    await open();
    const { ended } = start();
    await send();
    expect(await results(1)).toMatchObject([{ corr: "t1-1-1", body: { outcome: "succeeded" } }]);
    expect(await pending()).toEqual([]);
    drain.abort();
    await ended;
    expect(b.state.closed).toEqual(["uac/t1-1-1-1"]);
  });

  it("wait in the journal for a free slot, also those that were delivered before a crash", async () => {
    let atOnce = 0;
    let most = 0;
    await open({
      async script() {
        atOnce += 1;
        most = Math.max(most, atOnce);
        await new Promise((resolve) => setTimeout(resolve, 5));
        atOnce -= 1;
        return finish();
      },
    });
    for (let i = 0; i < 4; i += 1) await send({ task: `t${i}-1-1` });
    await b.bus.read({ from: [{ factory: "desk-1", channel: "in" }], consumer: "desk-1", what: "new", count: 9, blockMs: 0 });
    start();
    const told = await results(4);
    expect(told.map(({ corr }) => corr)).toEqual(["t0-1-1", "t1-1-1", "t2-1-1", "t3-1-1"]);
    expect(most).toBe(1);
  });

  it("are taken in while the one slot is taken, so that headquarters knows, and begun when it is free; controls are heard at once", async () => {
    await open({ model: "endless" });
    start();
    await send();
    await isThinking();
    await send({ task: "t2-1-1" });
    await until(async () => (await b.journal.open()).length === 2);
    const named: unknown[] = [];
    b.branch.hq.heartbeat = async (jws) => {
      named.push((await b.heard(jws)).body);
      return quietReply();
    };
    await b.advance(30_000);
    await until(() => named.length > 0);
    const its = (task: string) => ({ task, epoch: 1 });
    expect(named[0]).toMatchObject({ running: [its("t1-1-1")], accepted: [its("t1-1-1"), its("t2-1-1")], reports: null, bus: "ok" });
    expect(await b.journal.find("t2-1-1", 1)).toMatchObject({ state: "accepted", starts: 0 });
    const from = { self: "hq", signer: b.hqSigner, clock: b.clock, ids: b.branch.ids };
    const { jws } = await seal(
      from,
      "control",
      { id: "ctl_0001", seq: 1, do: "cancel", task: "t1-1-1", epoch: 1, reason: "not needed" },
      { aud: "desk-1", corr: null },
    );
    await b.bus.publish({ factory: "desk-1", channel: "ctl" }, jws);
    expect(await results(1)).toMatchObject([{ corr: "t1-1-1", body: { outcome: "cancelled", reason: "not needed" } }]);
    await until(async () => (await b.journal.open())[0]?.order.task === "t2-1-1");
  });

  it("that headquarters refuses to start are let go", async () => {
    await open();
    b.branch.hq.claim = () => Promise.reject(new UacError("conflict", "not yours"));
    start();
    await send();
    await until(async () => (await b.journal.find("t1-1-1", 1))?.state === "reported");
    await until(async () => (await pending()).length === 0);
    expect(modelCalls()).toBe(0);
    expect(await b.said()).toEqual([]);
  });

  it("wait while headquarters is away, and no start is counted", async () => {
    await open();
    const { claim } = b.branch.hq;
    let asked = 0;
    b.branch.hq.claim = (jws) => {
      asked += 1;
      return asked < 6 ? Promise.reject(new UacError("hq_unreachable", "away")) : claim(jws);
    };
    start();
    await send();
    await until(async () => {
      await b.advance(5000);
      return asked >= 6;
    });
    expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded" } }]);
    expect(await b.journal.find("t1-1-1", 1)).toMatchObject({ starts: 1 });
  });

  it("go on after a restart, from the journal, and are not begun twice", async () => {
    await open({ model: "endless" });
    start();
    await send();
    await until(async () => (await b.journal.find("t1-1-1", 1))?.state === "running");
    halt.abort();
    await running;
    await b.restart();
    again();
    b.speak(quick);
    start();
    expect(await results(1)).toMatchObject([{ body: { outcome: "succeeded" } }]);
    expect(await b.journal.find("t1-1-1", 1)).toMatchObject({ starts: 2, state: "reported" });
  });

  it("that never come to an end are ended", async () => {
    await open();
    const { entry } = await b.order();
    await b.journal.accept({ order: orderOf(), orderId: "env_1", entryId: entry.id }, 0);
    for (let i = 0; i < 3; i += 1) await b.journal.begin("t1-1-1", 1, 0);
    start();
    expect(await results(1)).toMatchObject([{ body: { outcome: "failed", code: "poison", reason: expect.stringContaining("3 times") } }]);
    expect(modelCalls()).toBe(0);
  });

  it("that end the program before they are taken in are refused unread, in the end, and hold up none after them", async () => {
    await open();
    const { open: read } = b.branch.verifier;
    await send({ task: "killer" });
    await send({ task: "t2-1-1" });
    let lives = 0;
    b.branch.verifier = {
      ...b.branch.verifier,
      async open(...args) {
        const envelope = await read(...args);
        if (envelope.kind !== "order" || envelope.body.task !== "killer") return envelope;
        // As if the process had died: nothing more of this life happens.
        halt.abort();
        return new Promise(() => undefined);
      },
    };
    for (; (await b.journal.find("t2-1-1", 1)) === null; lives += 1) {
      again();
      start();
      await until(async () => halt.signal.aborted || (await b.journal.find("t2-1-1", 1)) !== null);
      if (!halt.signal.aborted) break;
      await running;
      await b.restart();
    }
    expect(lives, "the first time, and three times more").toBe(4);
    await until(async () => (await b.said()).some(({ kind }) => kind === "reject"));
  });

  it("that end the program while they are claimed are ended", async () => {
    await open();
    const { claim } = b.branch.hq;
    await send();
    for (let life = 1; life <= 3; life += 1) {
      again();
      b.branch.hq.claim = () => new Promise(() => halt.abort());
      start();
      await until(() => halt.signal.aborted);
      await running;
      await b.restart();
      expect((await b.journal.find("t1-1-1", 1))?.starts).toBe(life);
    }
    again();
    b.branch.hq.claim = claim;
    start();
    expect(await results(1)).toMatchObject([{ body: { outcome: "failed", code: "poison" } }]);
  });

  it("with a token for something else are not worked, and end", async () => {
    await open();
    b.branch.hq.claim = async () => ({ token: await b.hqSigner.mint(b.token({ rep: "other" })), leaseUntil: 0, resumed: false });
    start();
    await send();
    await until(async () => {
      await b.advance(5000);
      return (await b.journal.find("t1-1-1", 1))?.state === "reported";
    });
    expect(await results(1)).toMatchObject([{ body: { code: "poison" } }]);
    expect(modelCalls()).toBe(0);
  });

  it("that were taken in are not read through again with each task that ends", async () => {
    await open({ script: quick });
    const { accept } = b.journal;
    let asked = 0;
    Object.assign(b.branch, {
      journal: {
        ...b.journal,
        accept(...args: Parameters<typeof accept>) {
          asked += 1;
          return accept(...args);
        },
      },
    });
    for (let i = 0; i < 6; i += 1) await send({ task: `t${i}-1-1` });
    start();
    await results(6);
    expect(asked).toBe(6);
  });

  it("are read again, what was delivered first, after the bus was away", async () => {
    await open();
    const { read } = b.bus;
    const asked: string[] = [];
    b.branch.bus = {
      ...b.bus,
      async read(options) {
        asked.push(options.what);
        const entries = await read(options);
        if (asked.length === 2) throw new UacError("bus_unavailable", "away");
        return entries;
      },
    };
    start();
    await send();
    await until(async () => {
      await b.advance(1000);
      return asked.length > 3;
    });
    expect(asked.slice(0, 4)).toEqual(["own", "new", "own", "new"]);
    expect(await results(1)).toMatchObject([{ corr: "t1-1-1" }]);
  });
});

describe("the bus", () => {
  /** What the heartbeats say of it. */
  function said() {
    const states: string[] = [];
    b.branch.hq.heartbeat = async (jws) => {
      states.push(JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString("utf8")).body.bus);
      return quietReply();
    };
    return states;
  }
  const beat = async (states: string[], state: string) =>
    until(async () => {
      await b.advance(30_000);
      return states.at(-1) === state;
    });

  it.each(["bus_denied", "bus_unavailable"] as const)("that is %s is told with the heartbeat, until it is there again", async (code) => {
    await open();
    const { read } = b.bus;
    let fails = true;
    b.branch.bus = { ...b.bus, read: (options) => (fails ? Promise.reject(new UacError(code, "no")) : read(options)) };
    const states = said();
    start();
    await beat(states, code === "bus_denied" ? "denied" : "down");
    fails = false;
    await beat(states, "ok");
    await send();
    await results(1);
  });

  it("is asked for what was given to a wait that was called off", async () => {
    await open();
    const { read } = b.bus;
    let calledOff = 0;
    b.branch.bus = {
      ...b.bus,
      async read(options) {
        const entries = await read(options);
        if (options.what === "own" || !options.signal?.aborted) return entries;
        calledOff += 1;
        // An order comes just then: it is given to this consumer, and the wait resolves to nothing.
        if (calledOff === 1) {
          await send({ task: "t2-1-1" });
          await read({ from: [{ factory: "desk-1", channel: "in" }], consumer: "desk-1", what: "new", count: 1, blockMs: 0 });
        }
        return [];
      },
    };
    start();
    await send();
    expect((await results(2)).map(({ corr }) => corr)).toEqual(["t1-1-1", "t2-1-1"]);
    expect(calledOff).toBeGreaterThan(0);
  });
});

describe("headquarters' word", () => {
  it("by heartbeat stops a task", async () => {
    await open({ model: "endless" });
    start();
    await send();
    await until(async () => (await b.journal.find("t1-1-1", 1))?.state === "running");
    answers([{ stop: [{ task: "t1-1-1", epoch: 1, reason: "attempt 1 was given up" }] }]);
    await b.advance(30_000);
    expect(await results(1)).toMatchObject([{ body: { outcome: "cancelled", reason: "attempt 1 was given up" } }]);
  });

  it("that it heard a report lets it go; one that it missed is sent again", async () => {
    await open();
    let rung = 0;
    b.branch.hq.ring = async () => {
      rung += 1;
    };
    start();
    await send();
    const [first] = await results(1);
    const kept = await b.journal.kept();
    expect(kept).toEqual({ first: kept?.last, last: expect.any(Number) });
    const seq = kept?.last ?? 0;
    answers([{ heard: seq - 1, resend: [seq] }]);
    const before = rung;
    await b.advance(30_000);
    expect((await results(2))[1]).toEqual(first);
    await until(() => rung > before);
    answers([{ heard: seq }]);
    await b.advance(30_000);
    await until(async () => (await b.journal.kept())?.first === seq + 1);
  });

  it.each([
    ["bus_unavailable", "down"],
    ["bus_denied", "denied"],
  ] as const)("is asked for with how the bus is: %s is %s, until it is read again", async (code, state) => {
    await open();
    const said: unknown[] = [];
    b.branch.hq.heartbeat = async (jws) => {
      const { body } = await b.heard(jws);
      said.push("bus" in body ? body.bus : null);
      return quietReply();
    };
    const { read } = b.bus;
    let away = true;
    b.branch.bus = { ...b.bus, read: (options) => (away ? Promise.reject(new UacError(code, "no")) : read(options)) };
    start();
    await until(async () => {
      await b.advance(30_000);
      return said.at(-1) === state;
    });
    away = false;
    await until(async () => {
      await b.advance(30_000);
      return said.at(-1) === "ok";
    });
  });

  it("is waited for until the owner has approved", async () => {
    await open();
    answers([{ status: "pending" }, { status: "pending" }, { status: "active" }]);
    start();
    await send();
    await until(() => beats.length <= 2);
    expect(await b.journal.open()).toEqual([]);
    await until(async () => {
      await b.advance(3000);
      return beats.length === 0;
    });
    await results(1);
  });

  it.each(["forbidden", "unauthenticated"] as const)("%s ends the factory, and what runs in it", async (code) => {
    await open({ model: "endless" });
    const { ended } = start();
    await send();
    await until(async () => (await b.journal.find("t1-1-1", 1))?.state === "running");
    b.branch.hq.heartbeat = () => Promise.reject(new UacError(code, "retired"));
    await b.advance(30_000);
    await expect(ended).rejects.toMatchObject({ code });
    expect(await b.journal.open()).toEqual([]);
  });

  it("that it did not take a heartbeat, or is away, ends nothing", async () => {
    await open();
    let asked = 0;
    b.branch.hq.heartbeat = () => {
      asked += 1;
      if (asked === 1) return Promise.reject(new UacError("bad_envelope", "The message has expired"));
      if (asked === 2) return Promise.reject(new UacError("hq_unreachable", "away"));
      return Promise.resolve(quietReply());
    };
    start();
    await send();
    await until(async () => {
      await b.advance(3000);
      return asked >= 3;
    });
    await results(1);
  });
});

describe("a drain", () => {
  it("gives back what does not end in time, and tells it", async () => {
    await open({ model: "endless" });
    const { ended } = start();
    await send();
    await until(async () => (await b.journal.find("t1-1-1", 1))?.state === "running");
    drain.abort();
    await b.advance(999);
    expect(await b.journal.open()).toHaveLength(1);
    await b.advance(1);
    await ended;
    expect(await results(1)).toMatchObject([{ body: { outcome: "released" } }]);
  });

  it("takes nothing new in", async () => {
    await open({ model: "endless" });
    const { ended } = start();
    await send();
    await until(async () => (await b.journal.find("t1-1-1", 1))?.state === "running");
    drain.abort();
    await send({ task: "t2-1-1" });
    await b.advance(1000);
    await ended;
    expect(await b.journal.find("t2-1-1", 1)).toBeNull();
  });

  it("ends though tool, bus and headquarters hang", async () => {
    await open({ script: () => ({ tools: [use("edit")] }) });
    const forever = () => new Promise<never>(() => undefined);
    b.branch.handsFor = () => ({ tools: [{ ...b.edit.tool, run: forever }], news: () => [], close: async () => {} });
    const { ended } = start();
    await send();
    await until(async () => (await b.journal.find("t1-1-1", 1))?.state === "running");
    b.branch.hq.heartbeat = forever;
    b.branch.bus = { ...b.bus, publish: forever, finish: forever };
    drain.abort();
    let over = false;
    void ended.then(() => {
      over = true;
    });
    await until(async () => {
      await b.advance(5000);
      return over;
    });
  });

  it("leaves no timer behind", async () => {
    await open();
    const { ended } = start();
    await send();
    await results(1);
    drain.abort();
    await ended;
    expect("sleepers" in b.clock && (b.clock.sleepers as () => number)()).toBe(0);
  });
});

it("a halt ends at once, and leaves what runs to the next start", async () => {
  await open({ model: "endless" });
  const { ended } = start();
  await send();
  await until(async () => (await b.journal.find("t1-1-1", 1))?.state === "running");
  halt.abort();
  await ended;
  expect(await b.journal.open()).toMatchObject([{ state: "running" }]);
  expect(await b.said()).toEqual([]);
});

it("tells its story though nobody takes the lines, and asks a bus that is away once a line", async () => {
  await open({ script: [{ tools: [use("edit")] }, { tools: [use("bash")] }, finish()] });
  let asked = 0;
  b.branch.bus = {
    ...b.bus,
    publish: (to, data, keep) => {
      if (to.channel !== "ev") return b.bus.publish(to, data, keep);
      asked += 1;
      return Promise.reject(new UacError("bus_unavailable", "away"));
    },
  };
  start();
  await send();
  await results(1);
  expect(asked).toBeGreaterThan(0);
  expect(asked).toBeLessThan(12);
});
