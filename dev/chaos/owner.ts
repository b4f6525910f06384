/** The owner of the town: asks for jobs, a few at a time, and never for more than the branches can keep up with. */
import { setTimeout as sleep } from "node:timers/promises";
import { terminalStates } from "#core/task.ts";
import type { Random } from "./random.ts";
import { wishFor } from "./script.ts";
import type { Town } from "./town.ts";

/** Jobs in one message. */
const atOnce = { min: 1, max: 4 };
/** Beyond what the branches hold at once. */
const queued = 6;
const lookEveryMs = 150;
/** Machine time: ten times the longest absence that is dealt, and its lease. */
const stuckMs = 300_000;
/** Numbers of the jobs with which every branch shows at the end that it is well: beyond any other. */
const lastRound = 900_001;

const over = terminalStates.map((state) => `'${state}'`).join(", ");

export interface Owner {
  /** Jobs asked for, and the messages that asked. */
  jobs: readonly number[];
  wishes: readonly number[];
  /** Asks for jobs until it is `enough`: as many as `mayAsk` says of now, and more where fewer than `mustBeOpen` are. Gives up where none of them ends for five minutes. */
  ask(how: { mayAsk(): number; mustBeOpen(): number; enough(): boolean }): Promise<void>;
  /** One job for each branch by name. */
  askEach(): void;
  /** Resolves when all jobs have ended and all is said; false if that takes longer than `withinMs`, or less if `signal` aborts. */
  allDone(withinMs: number): Promise<boolean>;
}

export function ownerOf(town: Town, random: Random): Owner {
  const jobs: number[] = [];
  const wishes: number[] = [];
  const room = town.branches.length * (town.options.slots ?? 2) + queued;
  const say = (asked: readonly number[], factory?: string) => {
    jobs.push(...asked);
    wishes.push(town.telegram.say(wishFor(asked, factory)).id);
  };
  /** Null while the state of record is away. */
  const count = async (sql: string) => {
    const [row] = await town.rows<{ n: number }>(sql).catch(() => []);
    return row ? Number(row.n) : null;
  };

  return {
    jobs,
    wishes,
    async ask({ mayAsk, mustBeOpen, enough }) {
      let moved = { ended: 0, at: Date.now() };
      while (!enough() && Date.now() - moved.at < stuckMs) {
        const ended = await count(`select count(*) as n from tasks where state in (${over})`);
        if (ended !== null) {
          if (ended !== moved.ended) moved = { ended, at: Date.now() };
          const open = jobs.length - ended;
          const wanted = Math.max(mayAsk() - jobs.length, mustBeOpen() - open);
          const asked = Math.min(wanted, room - open, random.whole(atOnce.min, atOnce.max));
          if (asked > 0) say(Array.from({ length: asked }, (_, i) => jobs.length + 1 + i));
        }
        await sleep(lookEveryMs);
      }
    },
    askEach() {
      for (const [i, { id }] of town.branches.entries()) say([lastRound + i], id);
    },
    async allDone(withinMs) {
      const until = Date.now() + withinMs;
      while (Date.now() < until) {
        const ended = await count(`select count(*) as n from tasks where state in (${over})`);
        const unsaid = await count("select count(*) as n from letters where sent_at is null and dropped_at is null");
        const unread = await count("select count(*) as n from inbound_updates where finished_at is null");
        if (ended !== null && ended >= jobs.length && unsaid === 0 && unread === 0 && town.telegram.pending() === 0) return true;
        await sleep(lookEveryMs);
      }
      return false;
    },
  };
}
