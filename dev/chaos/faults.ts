/** The faults that a run deals, by kind. Each resolves once it has landed; what heals it goes on in the background. */
import { leaseMs, streamOf } from "#core/fleet.ts";
import { redisCommand } from "../redis.ts";
import type { Dealer } from "./dealer.ts";
import type { Member } from "./member.ts";
import type { Point } from "./points.ts";
import type { Town } from "./town.ts";

/** Resolves to what it was done to. Rejects with `NotLanded` where there was nothing to hurt just then. */
type Inject = (dealer: Dealer, point: Point) => Promise<string>;

/** Longer than a lease and the tick after it, and a little. Town time, ms. */
const pastTheLeaseMs = leaseMs + 75_000;
/** More lines than a progress stream keeps. */
const streamFull = 2200;

/** The numbers are those of the fault list in docs/chaos.md. */
export const faults = {
  /** 1, 8, 9: kill -9 of a branch, and of headquarters, whatever it does just then. */
  kill_branch: (dealer) => dealer.hurt(dealer.busyBranch, ({ member }) => killed(dealer, member)),
  kill_hq: (dealer) =>
    dealer.hurt(
      () => dealer.free(dealer.town.hq),
      (hq) => killed(dealer, hq),
    ),
  /** 1, 8, 9: between a commit and what follows it. */
  kill_at: (dealer, point) =>
    dealer.reached(point, async (member) => {
      await killed(dealer, member);
      return "go";
    }),
  /** 2: asleep until its work is another's. */
  freeze: (dealer) => dealer.hurt(dealer.busyBranch, ({ member }) => asleep(dealer, member)),
  /** 2: the same with a result in its hand, which comes when the task is another's. */
  late_result: (dealer) =>
    dealer.reached("branch.bus.finish:before", async (member) => {
      await asleep(dealer, member);
      return "go";
    }),
  /** 3 */
  cut: (dealer) =>
    dealer.hurt(dealer.busyBranch, async ({ links }) => {
      for (const link of [links.redis, links.hq, dealer.town.hqLink]) link.cut();
    }),
  /** 3: both ends believe that the link is there, and hear nothing. */
  half_open: (dealer) =>
    dealer.hurt(dealer.busyBranch, async ({ id, links }) => {
      for (const link of [links.redis, links.hq]) link.silence();
      dealer.heal(id, dealer.random.whole(15_000, 45_000), async () => {
        for (const link of [links.redis, links.hq]) link.resume();
      });
    }),
  /** 4 */
  lost_reply: (dealer, point) => dealer.reached(point, async () => "lose"),
  duplicate: (dealer) => dealer.reached("hq.bus.publish:before", async () => "twice"),
  /** 4: an order that is held up while others overtake it. */
  reorder: (dealer) =>
    dealer.reached("hq.bus.publish:before", async () => {
      await dealer.sleep(12_000);
      return "go";
    }),
  /** 5 */
  kill_redis: (dealer) =>
    dealer.hurt(
      () => dealer.free({ id: "redis" }),
      async ({ id }) => {
        await dealer.town.redis.kill();
        dealer.heal(id, dealer.random.whole(3_000, 20_000), dealer.town.redis.start);
      },
    ),
  /** 6 */
  wipe: (dealer) =>
    dealer.hurt(
      () => dealer.free({ id: "redis" }),
      async () => {
        await redisCommand(dealer.town.redis.url, "FLUSHALL");
      },
    ),
  /** 7: away for longer than a lease, while a progress stream overflows. */
  hq_away: (dealer) =>
    dealer.hurt(
      () => dealer.free(dealer.town.hq),
      async (hq) => {
        await hq.kill("group");
        dealer.heal(hq.id, pastTheLeaseMs, hq.start);
        await dealer.until("a progress stream overflows", () => fillProgress(dealer.town));
      },
    ),
  /** 8: the message is in the chat, and headquarters was not told so. */
  chat_lost_reply: (dealer) =>
    dealer.hurt(
      () => dealer.free({ id: "chat" }),
      async () => {
        const { telegram } = dealer.town;
        const before = telegram.calls().filter(isCut).length;
        telegram.fail({ kind: "cut_after", method: "sendMessage" });
        await dealer.until("a message is sent", () => telegram.calls().filter(isCut).length > before);
      },
    ),
  /** The state of record is away. */
  kill_database: (dealer) =>
    dealer.hurt(
      () => dealer.free(dealer.town.database),
      async (database) => {
        await database.kill();
        dealer.heal(database.id, dealer.random.whole(5_000, 25_000), database.start);
      },
    ),
  /** 10: one drain is held before it acknowledges what it settled; others come. */
  two_drains: (dealer) =>
    dealer.reached("hq.bus.remove:before", async () => {
      await Promise.all([dealer.town.tick(), dealer.town.tick()].map((tick) => tick.catch(() => undefined)));
      await dealer.sleep(6_000);
      return "go";
    }),
  /** 11 */
  cancel: (dealer) => dealer.cancelOne(),
  /** 17: SIGTERM, and a new start. */
  drain: (dealer) =>
    dealer.hurt(dealer.busyBranch, async ({ id, member }) => {
      dealer.heal(id, 0, async () => {
        await member.stop();
        await member.start();
      });
    }),
} satisfies Record<string, Inject>;

export type FaultKind = keyof typeof faults;
export const faultKinds = Object.keys(faults) as FaultKind[];

/** SIGKILL, and the start that a service manager makes a moment later. */
async function killed(dealer: Dealer, member: Member) {
  await member.kill(member.id === "hq" ? "group" : "program");
  dealer.heal(member.id, dealer.random.whole(1_000, 12_000), member.start);
}

async function asleep(dealer: Dealer, member: Member) {
  const held = await dealer.heldBy(member.id);
  member.freeze();
  await dealer.movedOn(held).finally(() => member.thaw());
}

const isCut = ({ method, status }: { method: string; status: number }) => method === "sendMessage" && status === 0;

/** Copies a line that a branch told just now, more often than its stream holds. False where none lies there unread. */
async function fillProgress({ redis: { url }, branches }: Town): Promise<boolean> {
  for (const { id } of branches) {
    const stream = streamOf(id, "ev");
    const last = (await redisCommand(url, "XREVRANGE", stream, "+", "-", "COUNT", "1")) as [id: string, fields: string[]][];
    const line = last[0]?.[1][1];
    if (line === undefined) continue;
    const script = "for i = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], 'MAXLEN', '~', '2000', '*', 'e', ARGV[2]) end";
    await redisCommand(url, "EVAL", script, "1", stream, String(streamFull), line);
    return true;
  }
  return false;
}
