/**
 * Headquarters and a branch, both whole, on a bus and a line between them that fail at random, and a bus that loses everything now and
 * then: every mission ends, and is told once; every model call is in the ledger.
 */
import { afterEach, expect, it } from "vitest";
import { UacError } from "#core/errors.ts";
import { isTerminal } from "#core/task.ts";
import { cancelTask } from "#factory/cancel.ts";
import { delegate } from "#factory/delegate.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import { drain } from "#factory/drain.ts";
import { drainFactory, undrainFactory } from "#factory/drain-factory.ts";
import { pauseTask, resumeTask } from "#factory/pause.ts";
import { recoverLost } from "#factory/recover.ts";
import { steerTask } from "#factory/steer.ts";
import type { Bus } from "#ports/bus.ts";
import { runFactory } from "../../branch-agent/loop.ts";
import { finish, use } from "./agent.ts";
import { type BranchBench, openBranch } from "./branch.ts";
import { doorOf, enrolled } from "./door.ts";
import { type HqBench, openHq, wish } from "./headquarters.ts";

/** A bound for a machine that does much else: milliseconds. */
const patience = 60_000;
let b: HqBench;
let branch: BranchBench;
let halt: AbortController;
let running: Promise<unknown>;
afterEach(async () => {
  halt.abort();
  await running;
  await branch.close();
  b.close();
});

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function chances(seed: number) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Every method fails now and then, before its effect or after it. */
function unreliable<T extends object>(port: T, chance: () => number, error: () => Error, spared: readonly string[]): T {
  return Object.fromEntries(
    Object.entries(port).map(([name, method]) => [
      name,
      spared.includes(name)
        ? method
        : async (...args: unknown[]) => {
            const at = chance();
            if (at < 0.1) throw error();
            const result = await method(...args);
            if (at < 0.2) throw error();
            return result;
          },
    ]),
  ) as T;
}

/** Signatures are made on other threads, which no clock by hand waits for: a busy machine would take hours of its time for one. */
function counted<T extends object>(port: T, threads: { busy: number }): T {
  return new Proxy(port, {
    get(target, name, receiver) {
      const member = Reflect.get(target, name, receiver);
      if (typeof member !== "function") return member;
      return async (...args: unknown[]) => {
        threads.busy += 1;
        return Promise.resolve(member.apply(target, args)).finally(() => {
          threads.busy -= 1;
        });
      };
    },
  });
}

async function openCorporation(seed: number) {
  const threads = { busy: 0 };
  const chance = chances(seed);
  b = await openHq();
  const away = () => new UacError("bus_unavailable", "the bus is away");
  const bus: Bus = unreliable(b.bus, chance, away, ["close", "open", "fail"]);
  Object.assign(b.hq, { signer: counted(b.hq.signer, threads), verifier: counted(b.hq.verifier, threads) });
  const hqSide = { ...b.hq, bus };
  branch = await openBranch({
    clock: b.clock,
    bus,
    env: { MAX_CONCURRENT_TASKS: "2" },
    tests: [0],
    async script({ messages }) {
      await b.clock.sleep(20_000);
      return messages.length < 8 ? { tools: [use("edit", { n: messages.length })] } : finish();
    },
  });
  await enrolled(b.hq, branch);
  Object.assign(branch.branch, {
    signer: counted(branch.branch.signer, threads),
    verifier: counted(branch.branch.verifier, threads),
    hqKey: b.hq.signer.publicKey,
    hqKid: b.hq.signer.kid,
    hq: unreliable(doorOf(b.hq), chance, () => new UacError("hq_unreachable", "away"), []),
  });
  const start = () => {
    halt = new AbortController();
    running = runFactory(branch.branch, { drain: new AbortController().signal, halt: halt.signal }).catch(() => undefined);
  };
  start();
  /** As cron and the doorbells do; what fails is tried again next time. */
  async function minute() {
    for (const work of [() => drain(hqSide).then((drained) => recoverLost(hqSide, drained)), () => dispatchAll(hqSide)])
      await work().catch(() => undefined);
    for (let second = 0; second < 60; second += 5) {
      await b.clock.advance(5000);
      do await new Promise((resolve) => setTimeout(resolve, 1));
      while (threads.busy > 0);
    }
  }
  return {
    chance,
    minute,
    /** Reports that the factory keeps: headquarters has not said that it heard them. */
    untold: async () => (await branch.journalRows("select id from outbox")).length,
    /** Every ledger entry of the factory's. */
    spent: async () => (await branch.journalRows("select id from usages order by id")).map((row) => String(row.id)),
    /** kill -9, and some minutes until it is started again. */
    async kill() {
      halt.abort();
      await running;
      await branch.restart();
      for (let down = Math.floor(chance() * 5); down > 0; down -= 1) await minute();
      start();
    },
  };
}

it.each(Array.from({ length: 4 }, (_, seed) => seed))(
  "ends every mission once, whatever fails: seed %i",
  { timeout: patience },
  async (seed) => {
    const corporation = await openCorporation(seed);
    const missions = ["t1-1-1", "t2-1-1", "t3-1-1"];
    for (const id of missions) await delegate(b.hq, wish({ id }));

    const states = async () => Promise.all(missions.map(async (id) => (await b.task(id)).state));
    for (let minute = 0; !(await states()).every(isTerminal); minute += 1) {
      expect(minute, "minutes").toBeLessThan(120);
      await corporation.minute();
      if (corporation.chance() < 0.3) await corporation.kill();
      if (corporation.chance() < 0.3) b.wipe();
    }
    // What is sent again is sent less and less often, and a part may be missed many times.
    for (let minute = 0; minute < 120 && (await corporation.untold()) > 0; minute += 1) await corporation.minute();
    for (let minute = 0; minute < 8; minute += 1) await corporation.minute();

    const done = await b.rows("select key from letters where key like 'done:%' order by key");
    expect(done.map((row) => row.key)).toEqual(missions.map((id) => `done:${id}`));
    expect(await b.rows("select kind, text from incidents where kind <> 'gap'")).toEqual([]);
    expect(await b.rows("select id from outbox where sent_at is null")).toEqual([]);
    // An attempt that was lost may have been worked; one that was won was worked to one end.
    const won = await b.rows("select task, count(*) as n from attempts where outcome = 'succeeded' group by task");
    expect(won.every((row) => row.n === 1)).toBe(true);
    // A factory that was killed three times over the same attempt takes it for what kills it.
    const ends = await b.rows("select distinct case state when 'failed' then code else state end as how from tasks");
    expect(["succeeded", "dead", "poison"]).toEqual(expect.arrayContaining(ends.map((row) => row.how)));
    // A call that was under way at a kill was made all the same; its step is asked once more.
    const [told] = await b.rows("select count(*) as n, count(distinct task || epoch || step) as calls from usages where outcome = 'ok'");
    expect(told?.n).toBe(told?.calls);
    expect(await corporation.untold(), "reports that headquarters never heard").toBe(0);
    expect((await b.rows("select id from usages order by id")).map((row) => row.id)).toEqual(
      (await corporation.spent()).map((id) => `desk-1:${id}`),
    );
  },
);

it.each([11, 12, 13])(
  "ends every mission once, whatever fails and whatever the owner says meanwhile: seed %i",
  { timeout: patience },
  async (seed) => {
    const corporation = await openCorporation(seed);
    const missions = ["t1-1-1", "t2-1-1", "t3-1-1"];
    for (const id of missions) await delegate(b.hq, wish({ id }));
    let said = 0;
    const words: ((id: string) => Promise<unknown>)[] = [
      (id) => pauseTask(b.hq, id, "Alice"),
      (id) => resumeTask(b.hq, id, "Alice"),
      (id) => {
        said += 1;
        return steerTask(b.hq, id, `word ${said}`, `u${said}`);
      },
      (id) => (corporation.chance() < 0.15 ? cancelTask(b.hq, id, "not needed") : steerTask(b.hq, id, "word 0", `u0${id}`)),
      () => drainFactory(b.hq, "desk-1"),
      () => undrainFactory(b.hq, "desk-1"),
    ];
    const some = <T>(all: readonly T[]) => all[Math.floor(corporation.chance() * all.length)] as T;

    const over = async () => (await Promise.all(missions.map(async (id) => isTerminal((await b.task(id)).state)))).every(Boolean);
    for (let minute = 0; !(await over()); minute += 1) {
      expect(minute, "minutes").toBeLessThan(160);
      // After a while the owner lets everything go on: what is paused would wait for ever.
      const act = minute < 12 ? some(words) : minute % 2 ? words[1] : words[5];
      for (const id of minute < 12 ? [some(missions)] : missions) await act?.(id).catch(() => undefined);
      await corporation.minute();
      if (corporation.chance() < 0.3) await corporation.kill();
    }
    for (let minute = 0; minute < 8; minute += 1) await corporation.minute();

    const done = await b.rows("select key from letters where key like 'done:%' order by key");
    expect(done.map((row) => row.key)).toEqual(missions.map((id) => `done:${id}`));
    expect(await b.rows("select kind, text from incidents")).toEqual([]);
    expect(await b.rows("select * from controls where obeyed_at is null")).toEqual([]);
    for (const { task, epoch } of await b.rows("select task, epoch from attempts")) {
      const entries = await branch.journal.transcript(String(task), Number(epoch)).load();
      const heard = entries.flatMap((entry) => (entry.type === "user" && entry.control ? [entry.control] : []));
      expect(new Set(heard).size, `${task} ${epoch}`).toBe(heard.length);
    }
  },
);
