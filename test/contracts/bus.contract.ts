/** What every bus must do, whatever carries it. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { maxEntryBytes } from "#core/envelope.ts";
import type { Channel } from "#core/fleet.ts";
import type { Bus, BusEntry } from "#ports/bus.ts";

export interface BusUnderTest {
  /** Another client of the same streams. */
  connect(): Bus;
  /** Deletes a stream with its group, as a server that lost its data. */
  wipe(of: { factory: string; channel: Channel }): Promise<void>;
  stop(): Promise<void>;
}

let made = 0;
/** Factories of their own for every test, so that tests share a server. */
export const newFactory = () => `branch-${++made}`;

export const orders = (factory: string) => ({ factory, channel: "in" as const });
export const results = (factory: string) => ({ factory, channel: "out" as const });
const control = (factory: string) => ({ factory, channel: "ctl" as const });
const progress = (factory: string) => ({ factory, channel: "ev" as const });

interface Wants {
  consumer?: string;
  what?: "own" | "new";
  count?: number;
  blockMs?: number;
  signal?: AbortSignal;
}

export function read(bus: Bus, from: { factory: string; channel: Channel }[], wants: Wants = {}): Promise<BusEntry[]> {
  return bus.read({ from, consumer: "one", what: "new", count: 10, blockMs: 0, ...wants });
}

export const dataOf = (entries: BusEntry[]) => entries.map(({ data }) => data);

export function busContract(name: string, start: () => Promise<BusUnderTest>) {
  describe(`bus contract: ${name}`, () => {
    let under: BusUnderTest;
    let hq: Bus;
    let branch: Bus;
    let factory: string;

    beforeEach(async () => {
      under = await start();
      hq = under.connect();
      branch = under.connect();
      factory = newFactory();
      await hq.open(factory);
    });
    afterEach(async () => {
      await Promise.all([hq.close(), branch.close()]);
      await under.stop();
    });

    test("entries arrive whole, in order, with rising ids and where they came from", async () => {
      const texts = ['{"quoted": "\\"\n"}', "naïve 🙂", "42", "null", "x".repeat(200_000)];
      const ids: string[] = [];
      for (const text of texts) ids.push(await hq.publish(orders(factory), text));
      const entries = await read(branch, [orders(factory)]);
      expect(entries).toEqual(texts.map((data, i) => ({ factory, channel: "in", id: ids[i], data })));
      expect(new Set(ids).size).toBe(ids.length);
    });

    test("an entry is given once as new, and as own until it is acknowledged", async () => {
      const id = await hq.publish(orders(factory), "a");
      expect(dataOf(await read(branch, [orders(factory)]))).toEqual(["a"]);
      expect(await read(branch, [orders(factory)])).toEqual([]);

      const restarted = under.connect();
      expect(dataOf(await read(restarted, [orders(factory)], { what: "own" }))).toEqual(["a"]);
      expect(dataOf(await read(restarted, [orders(factory)], { what: "own" }))).toEqual(["a"]);
      await restarted.ack(orders(factory), [id]);
      expect(await read(restarted, [orders(factory)], { what: "own" })).toEqual([]);
      expect(await restarted.length(orders(factory))).toBe(1);
      await restarted.close();
    });

    test("own entries come oldest first and do not hide new ones", async () => {
      for (const text of ["a", "b", "c"]) await hq.publish(orders(factory), text);
      await read(branch, [orders(factory)], { count: 2 });
      expect(dataOf(await read(branch, [orders(factory)], { what: "own", blockMs: 5000 }))).toEqual(["a", "b"]);
      expect(dataOf(await read(branch, [orders(factory)], { what: "own", count: 1 }))).toEqual(["a"]);
      expect(dataOf(await read(branch, [orders(factory)]))).toEqual(["c"]);
    });

    test("two consumers never share an entry, and own is a consumer's own", async () => {
      for (let i = 0; i < 40; i += 1) await hq.publish(orders(factory), String(i));
      const consumers = ["one", "two"];
      const shares = await Promise.all(
        consumers.map(async (consumer, i) => {
          const bus = i === 0 ? branch : under.connect();
          const got: BusEntry[] = [];
          for (;;) {
            const some = await read(bus, [orders(factory)], { consumer, count: 3 });
            got.push(...some);
            if (some.length === 0) break;
          }
          const own = await read(bus, [orders(factory)], { consumer, what: "own", count: 100 });
          expect(own).toEqual(got);
          if (bus !== branch) await bus.close();
          return got;
        }),
      );
      const ids = shares.flat().map(({ id }) => id);
      expect(ids).toHaveLength(40);
      expect(new Set(ids).size).toBe(40);
    });

    test("what was published before anyone opened the streams is delivered", async () => {
      const early = newFactory();
      await branch.publish(results(early), "early");
      await hq.open(early);
      await hq.open(early);
      expect(dataOf(await read(hq, [results(early)]))).toEqual(["early"]);
    });

    test("one read covers many streams, at most count of each", async () => {
      const factories = [factory, newFactory(), newFactory()];
      for (const each of factories) {
        await hq.open(each);
        for (const text of ["1", "2", "3"]) await branch.publish(results(each), `${each} ${text}`);
        await branch.publish(progress(each), `${each} progress`);
      }
      const entries = await read(
        hq,
        factories.flatMap((each) => [results(each), progress(each)]),
        { count: 2 },
      );
      expect(entries.map((entry) => [entry.factory, entry.channel, entry.data])).toEqual(
        factories.flatMap((each) => [
          [each, "out", `${each} 1`],
          [each, "out", `${each} 2`],
          [each, "ev", `${each} progress`],
        ]),
      );
      expect(await read(hq, [], { blockMs: 5000 })).toEqual([]);
    });

    test("finish appends the result and acknowledges the order in one step", async () => {
      const order = await hq.publish(orders(factory), "order");
      await read(branch, [orders(factory)]);
      const id = await branch.finish(factory, "result", order);
      expect(await read(hq, [results(factory)])).toEqual([{ factory, channel: "out", id, data: "result" }]);
      expect(await read(branch, [orders(factory)], { what: "own" })).toEqual([]);
    });

    test("ack and remove can be repeated, and take ids that were never there", async () => {
      const id = await branch.publish(results(factory), "r");
      const kept = await branch.publish(results(factory), "kept");
      await read(hq, [results(factory)]);
      for (let i = 0; i < 2; i += 1) {
        await hq.ack(results(factory), [id]);
        await hq.remove(results(factory), [id, "1"]);
      }
      await hq.ack(results(factory), []);
      await hq.remove(results(factory), []);
      expect(await hq.length(results(factory))).toBe(1);
      expect((await read(hq, [results(factory)], { what: "own" })).map((entry) => entry.id)).toEqual([kept]);
    });

    test("removing an entry withdraws it from the consumer that holds it", async () => {
      const id = await hq.publish(orders(factory), "order");
      await read(branch, [orders(factory)]);
      await hq.remove(orders(factory), [id]);
      expect(await read(branch, [orders(factory)], { what: "own" })).toEqual([]);
      expect(await hq.length(orders(factory))).toBe(0);
    });

    test("a wiped stream is made again and silences neither the others nor itself", async () => {
      const other = newFactory();
      await hq.open(other);
      await under.wipe(results(factory));
      await branch.publish(results(other), "of the other");
      expect(dataOf(await read(hq, [results(factory), results(other)]))).toEqual(["of the other"]);
      await branch.publish(results(factory), "after the wipe");
      expect(dataOf(await read(hq, [results(factory), results(other)]))).toEqual(["after the wipe"]);
    });

    test("an id from before a wipe never names an entry from after it", async () => {
      const before = await hq.publish(orders(factory), "before");
      await under.wipe(orders(factory));
      await hq.publish(orders(factory), "after");
      await read(branch, [orders(factory)]);
      await branch.ack(orders(factory), [before]);
      expect(dataOf(await read(branch, [orders(factory)], { what: "own" }))).toEqual(["after"]);
    });

    test("a pending entry that was trimmed away is told as null", async () => {
      const id = await branch.publish(progress(factory), "first");
      await read(hq, [progress(factory)]);
      const own = () => read(hq, [progress(factory)], { what: "own" });
      // Redis trims whole blocks of a hundred entries.
      for (let i = 0; i < 12 && (await own())[0]?.data !== null; i += 1) {
        await Promise.all(Array.from({ length: 25 }, () => branch.publish(progress(factory), "more", 10)));
      }
      expect(await own()).toEqual([{ factory, channel: "ev", id, data: null }]);
      await hq.ack(progress(factory), [id]);
      expect(await read(hq, [progress(factory)], { what: "own" })).toEqual([]);
    });

    test("an entry beyond the limit is refused, one at the limit is not", async () => {
      await expect(hq.publish(orders(factory), "ü".repeat(maxEntryBytes / 2 + 1))).rejects.toMatchObject({ code: "too_large" });
      await expect(branch.finish(factory, "x".repeat(maxEntryBytes + 1), "1")).rejects.toMatchObject({ code: "too_large" });
      await hq.publish(orders(factory), "x".repeat(maxEntryBytes));
      expect((await read(branch, [orders(factory)]))[0]?.data).toHaveLength(maxEntryBytes);
    });

    test("a waiting read wakes on an entry in any of its streams", async () => {
      const waiting = read(branch, [orders(factory), control(factory)], { blockMs: 30_000 });
      await hq.publish(control(factory), "cancel");
      expect(dataOf(await waiting)).toEqual(["cancel"]);
    });

    test("a waiting read ends with nothing when its time is up", async () => {
      expect(await read(branch, [orders(factory)], { blockMs: 120 })).toEqual([]);
    });

    test("a waiting read does not hold up other calls of the same bus", async () => {
      const stop = new AbortController();
      const waiting = read(branch, [orders(factory)], { blockMs: 30_000, signal: stop.signal });
      await branch.publish(results(factory), "meanwhile");
      const second = read(branch, [control(factory)], { blockMs: 30_000 });
      await hq.publish(control(factory), "c");
      expect(dataOf(await second)).toEqual(["c"]);
      stop.abort();
      expect(await waiting).toEqual([]);
    });

    test("an aborted wait ends at once, and the bus goes on", async () => {
      const stop = new AbortController();
      const waiting = read(branch, [orders(factory)], { blockMs: 30_000, signal: stop.signal });
      await branch.length(orders(factory));
      stop.abort();
      expect(await waiting).toEqual([]);
      expect(await read(branch, [orders(factory)], { blockMs: 30_000, signal: stop.signal })).toEqual([]);
      await hq.publish(orders(factory), "later");
      const got = [...(await read(branch, [orders(factory)], { what: "own" })), ...(await read(branch, [orders(factory)]))];
      expect(dataOf(got)).toEqual(["later"]);
    });

    test("after close every call is an error, a waiting read too", async () => {
      const waiting = expect(read(branch, [orders(factory)], { blockMs: 30_000 })).rejects.toMatchObject({ code: "bus_unavailable" });
      await branch.length(orders(factory));
      await branch.close();
      await branch.close();
      await waiting;
      await expect(branch.publish(results(factory), "x")).rejects.toMatchObject({ code: "bus_unavailable" });
      await expect(read(branch, [orders(factory)])).rejects.toMatchObject({ code: "bus_unavailable" });
      await expect(branch.open(factory)).rejects.toMatchObject({ code: "bus_unavailable" });
    });
  });
}
