/** Deals faults to a town, one after the other, each only while work is in flight; and heals what it hurt. */
import { setTimeout as sleep } from "node:timers/promises";
import { terminalStates } from "#core/task.ts";
import type { Verdict } from "./gate.ts";
import type { TownBranch } from "./machine.ts";
import type { Member } from "./member.ts";
import type { Planned } from "./plan.ts";
import type { Point } from "./points.ts";
import type { Random } from "./random.ts";
import { inTime } from "./time.ts";
import type { Town } from "./town.ts";

/** There was nothing to hurt in time: the fault is dealt again later. */
export class NotLanded extends Error {}

export interface Landed extends Planned {
  /** What it was done to. */
  target: string;
  /** Machine time, ms. */
  at: number;
  /** Tasks that were at a factory just before. */
  inFlight: number;
}

/** A task in an attempt of its. */
export interface Held {
  id: string;
  epoch: number;
}

export interface Dealer {
  town: Town;
  random: Random;
  /** Tasks that the owner asked to stop. */
  cancelled: ReadonlySet<string>;
  landed: readonly Landed[];
  /** Deals one. Rejects with `NotLanded`. */
  deal(planned: Planned, inject: (dealer: Dealer, point: Point) => Promise<string>): Promise<void>;
  /** Town time, ms. */
  sleep(ms: number): Promise<void>;
  /** Rejects with `NotLanded` if it does not become so. */
  until(what: string, ask: () => boolean | Promise<boolean>): Promise<void>;
  /** `target`, unless somebody hurts it already. */
  free<T extends { id: string }>(target: T): T | null;
  /** A branch at work that nobody hurts. */
  busyBranch(): Promise<TownBranch | null>;
  /** What a factory works on. */
  heldBy(factory: string): Promise<Held[]>;
  /** Once one of these tasks is worked on in a later attempt. Rejects with `NotLanded` where that takes too long. */
  movedOn(held: readonly Held[]): Promise<void>;
  /** Hurts what `find` finds, once it does. */
  hurt<T extends { id: string }>(find: () => Promise<T | null> | T | null, how: (target: T) => Promise<void>): Promise<string>;
  /** Waits for a process that nobody hurts to come to `point`, and does `act` to it there. */
  reached(point: Point, act: (member: Member) => Promise<Verdict>): Promise<string>;
  /** Until `cure` has run, after so long (town time), nobody hurts `id`. */
  heal(id: string, afterMs: number, cure: () => Promise<void>): void;
  cancelOne(): Promise<string>;
  /** Resolves when everything is healed. Rejects with the first cure that failed. */
  healed(): Promise<void>;
}

/** Longest wait for a fault to land, machine time: two leases and what comes around them. */
const landMs = 40_000;
/** Longest for all of one fault: it waits for work, for something to hurt, and for what comes of it. Beyond that the harness itself is stuck. */
const dealMs = 6 * landMs;
/** Longest for all cures that are under way: an absence of headquarters, and a start that takes three goes. */
const cureMs = 400_000;
const atFactory = "('dispatched', 'running', 'awaiting_approval', 'paused')";
const over = terminalStates.map((state) => `'${state}'`).join(", ");

export function dealerIn(town: Town, random: Random): Dealer {
  const hurting = new Set<string>();
  const healing = new Set<string>();
  const cures = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const landed: Landed[] = [];
  const cancelled = new Set<string>();
  const members = new Map<string, Member>([town.hq, ...town.branches.map(({ member }) => member)].map((member) => [member.id, member]));

  const rows = <T>(sql: string) =>
    town.rows<T>(sql).catch(() => {
      throw new NotLanded("the state of record is away");
    });
  const busy = async () => {
    const found = await rows<{ factory: string }>(`select factory from tasks where state in ${atFactory} and factory is not null`);
    return found.map(({ factory }) => factory);
  };

  /** Nobody else hurts `id` meanwhile; nor after, as long as it heals. */
  async function inHand<T>(id: string, how: () => Promise<T>): Promise<T> {
    hurting.add(id);
    try {
      return await how();
    } finally {
      if (!healing.has(id)) hurting.delete(id);
    }
  }

  async function until(what: string, ask: () => boolean | Promise<boolean>) {
    const end = Date.now() + landMs;
    // What can't be looked up now may be in a moment.
    const asked = async () =>
      Promise.resolve(ask()).catch((error: unknown) => {
        if (error instanceof NotLanded) return false;
        throw error;
      });
    while (!(await asked())) {
      if (Date.now() > end) throw new NotLanded(`it did not come to it that ${what}`);
      await sleep(50);
    }
  }

  const dealer: Dealer = {
    town,
    random,
    cancelled,
    landed,
    until,
    sleep: (ms) => town.clock.sleep(ms),
    free: (target) => (hurting.has(target.id) ? null : target),

    async deal(planned, inject) {
      if (failures.length > 0) throw failures[0];
      let inFlight = 0;
      await until("a task is at work", async () => {
        inFlight = (await busy()).length;
        return inFlight > 0;
      });
      const target = await inTime(dealMs, `dealing ${planned.kind}`, inject(dealer, planned.point ?? "hq.bus.read:after"));
      landed.push({ ...planned, target, at: Date.now(), inFlight });
    },

    async busyBranch() {
      const at = new Set(await busy());
      const fit = town.branches.filter(({ id, member }) => at.has(id) && !hurting.has(id) && member.alive());
      return fit.length > 0 ? random.pick(fit) : null;
    },

    heldBy: (factory) => rows<Held>(`select id, epoch from tasks where state = 'running' and factory = '${factory}'`),

    movedOn: (held) =>
      until("another works on it", async () => {
        const now = await town.rows<Held>("select id, epoch from tasks where state = 'running'").catch(() => []);
        return held.some(({ id, epoch }) => now.some((task) => task.id === id && task.epoch > epoch));
      }),

    async hurt(find, how) {
      const found: Parameters<typeof how>[0][] = [];
      await until("somebody can be hurt", async () => {
        const target = await find();
        if (target) found.push(target);
        return target !== null;
      });
      const [target] = found;
      if (!target) throw new NotLanded("nobody can be hurt");
      await inHand(target.id, () => how(target));
      return target.id;
    },

    async reached(point, act) {
      const arrived = Promise.withResolvers<{ who: string; acted: Promise<unknown> }>();
      const disarm = town.controller.arm({
        who: null,
        point,
        async act({ who, life }) {
          const member = members.get(who);
          if (!member || hurting.has(who) || member.life().name !== life) return null;
          const acted = inHand(who, () => act(member));
          arrived.resolve({ who, acted });
          return acted;
        },
      });
      const late = new AbortController();
      const inVain = sleep(landMs, null, { signal: late.signal }).catch(() => null);
      const here = await Promise.race([arrived.promise, inVain]);
      late.abort();
      disarm();
      if (here === null) throw new NotLanded(`nobody came to ${point}`);
      await here.acted;
      return here.who;
    },

    heal(id, afterMs, cure) {
      healing.add(id);
      const cured = town.clock
        .sleep(afterMs)
        .then(cure)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => {
          healing.delete(id);
          hurting.delete(id);
          cures.delete(cured);
        });
      cures.add(cured);
    },

    async cancelOne() {
      const open = await rows<{ id: string }>(`select id from tasks where state not in (${over}) and title like 'job %'`);
      const fit = open.filter(({ id }) => !cancelled.has(id));
      if (fit.length === 0) throw new NotLanded("no task is open");
      const { id } = random.pick(fit);
      cancelled.add(id);
      const card = town.telegram.messages().find(({ buttons }) => buttons.flat().some(({ data }) => data === `stop:${id}`));
      if (card && random.next() < 0.5) town.telegram.tap(card.id, `stop:${id}`);
      else town.telegram.say(`/cancel ${id}`);
      return id;
    },

    async healed() {
      const end = Date.now() + cureMs;
      while (cures.size > 0) await inTime(end - Date.now(), `healing ${[...healing].join(", ")}`, Promise.all(cures));
      if (failures.length > 0) throw failures[0];
    },
  };
  return dealer;
}
