/** What each event of headquarters really asks of others, held to the one table of budgets. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashSecret } from "#adapters/signer/digest.ts";
import { paths } from "#core/hq-api.ts";
import { delegate } from "#factory/delegate.ts";
import { tick } from "../../hq-worker/tick.ts";
import { workDesk } from "../../hq-worker/turn.ts";
import { type Budget, budgets, renderBudgets } from "../../scripts/docs/budgets.ts";
import { type Desk, joined, owner, resultOf, wish } from "../factory/headquarters.ts";
import { quietBeat } from "../support/heartbeats.ts";
import { type CountedOffice, type Event, openCountedOffice, type Spent } from "./counted-office.ts";
import { message, tap } from "./office.ts";

/** A free Worker's. */
const most = 50;
/** A budget so far above what is spent says nothing. How much a full event leaves to the next depends on the machine's speed. */
const slack = 20;
const workspace = "demo-shop";

let b: CountedOffice;
/** Where the factories live, so that what they do is nobody's event. */
let aside: Event;
let desks: Desk[];
beforeAll(async () => {
  b = await openCountedOffice();
  aside = b.open();
  const facts = { workspaces: [workspace], slots: 8, startedAt: Date.now() };
  desks = await Promise.all(["desk-1", "desk-2", "desk-3"].map((id) => joined(aside.context.hq, id, facts)));
});
afterAll(async () => {
  await aside.end();
  await b.close();
});

const desk = (of: number) => desks[of - 1] as Desk;
let last = 100;
const nextId = () => {
  last += 1;
  return last;
};

/** The owner writes; resolves to the update. */
function written(text: string) {
  const { id } = b.chat.say(text);
  return message(nextId(), text, { message_id: id });
}
const deskRound = () => b.event(({ context }) => workDesk(context.hq, context.digest, owner));
/** Rounds until nothing is left to do or to say. */
async function finish() {
  for (let rounds = 0; rounds < 20; rounds += 1) {
    let again: number | null = null;
    await b.event(async ({ context }) => {
      again = await workDesk(context.hq, context.digest, owner);
    });
    if (again === null || again > Date.now() + 500) return;
  }
  throw new Error("the desk never ends");
}
const post = (path: string, body: string) => b.event(async ({ request }) => ok(await request(path, { method: "POST", body })));
function ok(response: Response) {
  expect(response.status).toBeLessThan(300);
}

/** A task that was sent to the desk, and the id of its order. */
async function ordered(to: Desk) {
  const id = `t${nextId()}-1-1`;
  await b.event(({ context }) => delegate(context.hq, wish({ id, workspace, factory: to.id, message: null, receivedAt: Date.now() })));
  const [row] = (await b.admin.execute({ sql: "select order_id from tasks where id = ?", args: [id] })).rows;
  return { id, order: String(row?.order_id) };
}
async function claimed(by: Desk) {
  const { id, order } = await ordered(by);
  return { id, spent: await post(paths.claim, await by.sealed("claim", { task: id, epoch: 1, order })) };
}

function within(spent: Spent, { event, subrequests, sql }: Budget) {
  const what = `${event}: ${JSON.stringify(spent)}`;
  expect(spent.counted, `headquarters counts what leaves; ${what}`).toBe(spent.subrequests);
  expect(spent.subrequests, what).toBe(spent.sql + spent.bus + spent.chat + spent.model);
  expect(spent.subrequests, what).toBeLessThanOrEqual(subrequests);
  expect(spent.sql, what).toBeLessThanOrEqual(sql);
  expect(subrequests - spent.subrequests, `the budget is too wide; ${what}`).toBeLessThanOrEqual(slack);
  expect(sql - spent.sql, `the budget is too wide; ${what}`).toBeLessThanOrEqual(slack);
}

describe("the budget of", () => {
  it(budgets.webhook.event, async () => {
    within(await b.event(b.bring(written("/help"))), budgets.webhook);
    await finish();
  });

  it(budgets.turn.event, async () => {
    await b.event(b.bring(written(`The tests of ${workspace} fail. Fix them.`)));
    const spent = await deskRound();
    within(spent, budgets.turn);
    expect(spent).toMatchObject({ model: 2, bus: 1 });
    await finish();
    expect(b.chat.messages().at(-1)?.text).toContain("Simone @ HQ");
  });

  it(budgets.tap.event, async () => {
    const { id } = await ordered(desk(1));
    await finish();
    const card = b.chat.messages().findLast(({ buttons }) => buttons.flat().some(({ data }) => data === `stop:${id}`));
    const query = b.chat.tap(card?.id ?? 0, `stop:${id}`);
    const update = tap(nextId(), `stop:${id}`);
    await b.event(b.bring({ ...update, callback_query: { ...update.callback_query, id: query } }));
    within(await deskRound(), budgets.tap);
    await finish();
    expect(b.chat.answers().at(-1)).toMatchObject({ query, text: "Cancelled." });
  });

  it(budgets.claim.event, async () => {
    within((await claimed(desk(1))).spent, budgets.claim);
  });

  it(budgets.idleBeat.event, async () => {
    within(await post(paths.heartbeat, await desk(2).sealed("heartbeat", quietBeat(desk(2).facts))), budgets.idleBeat);
  });

  it(budgets.busyBeat.event, async () => {
    const { id } = await claimed(desk(2));
    const running = [{ task: id, epoch: 1, step: 1, cost: 0, tokens: 0, paused: false, overBudget: null }];
    within(await post(paths.heartbeat, await desk(2).sealed("heartbeat", quietBeat(desk(2).facts, { running }))), budgets.busyBeat);
  });

  it(budgets.doorbell.event, async () => {
    const { id } = await claimed(desk(1));
    await finish();
    await desk(1).say("result", resultOf({ task: id }));
    within(await post(paths.doorbell, await desk(1).sealed("doorbell", { reason: "result" })), budgets.doorbell);
    expect(await stateOf(id)).toBe("succeeded");
    await finish();
  });

  it(budgets.fullDrain.event, async () => {
    const tasks: string[] = [];
    for (const one of desks) {
      for (let i = 0; i < 3; i += 1) tasks.push((await claimed(one)).id);
    }
    await finish();
    for (const [n, id] of tasks.entries()) {
      const one = desk(1 + Math.floor(n / 3));
      // 41 lines of progress and 9 results.
      for (let seq = 1; seq <= (n < 5 ? 5 : 4); seq += 1) await one.tell(id, 1, seq);
      await one.say("result", resultOf({ task: id }));
    }
    let events = 0;
    for (; (await Promise.all(tasks.map(stateOf))).some((state) => state !== "succeeded"); events += 1) {
      const spent = await post(paths.doorbell, await desk(1).sealed("doorbell", { reason: "result" }));
      if (events === 0) within(spent, budgets.fullDrain);
      expect(spent.subrequests).toBeLessThanOrEqual(most);
      expect(events, "every doorbell brings it further").toBeLessThan(12);
    }
    await finish();
  });

  it(budgets.idleTick.event, async () => {
    await b.event(({ context }) => tick(context));
    within(await b.event(({ context }) => tick(context)), budgets.idleTick);
  });

  it(budgets.busyTick.event, async () => {
    const lost = [await claimed(desk(1)), await claimed(desk(2)), await claimed(desk(3))];
    for (let i = 0; i < 4; i += 1) await ordered(desk(3));
    await b.event(b.bring(written("/help")));
    await b.admin.execute({
      sql: "update tasks set lease_until = 1 where id in (select value from json_each(?))",
      args: [JSON.stringify(lost.map(({ id }) => id))],
    });
    await b.admin.execute("update inbound_updates set received_at = 1 where finished_at is null");
    within(await b.event(({ context }) => tick(context)), budgets.busyTick);
    expect((await b.admin.execute("select 1 from attempts where outcome = 'lost'")).rows.length).toBeGreaterThan(0);
  });

  it(`${budgets.busyTick.event}, however many: 25 lost and 25 overdue take more ticks, each with calls left for its last jobs`, async () => {
    await b.event(({ context }) => tick(context));
    const { tasks } = aside.context.hq.store;
    const ids = (what: string) => Array.from({ length: 25 }, (_, i) => `${what}-${i}`);
    for (const id of [...ids("lost"), ...ids("overdue")]) {
      const { factory: wanted, ...asked } = wish({ id, workspace, message: null, receivedAt: Date.now() });
      await tasks.create({ ...asked, wanted }, { kind: "delegated", text: "" }, Date.now());
    }
    await b.admin.execute("update tasks set state = 'running', factory = 'desk-1', lease_until = 1 where id like 'lost-%'");
    await b.admin.execute("update tasks set deadline = 1 where id like 'overdue-%'");
    const left = async () => {
      const unmended = "id like 'lost-%' and epoch = 1 or id like 'overdue-%' and state = 'queued'";
      return (await b.admin.execute(`select 1 from tasks where ${unmended}`)).rows.length;
    };
    for (let before = 50, ticks = 1; before > 0; ticks += 1) {
      let rung = false;
      const first = "(select min(id) from inbound_updates)";
      await b.admin.execute(`update inbound_updates set received_at = 1, finished_at = null where id = ${first}`);
      // Only what wakes a chat at once is the tick's last job.
      const ring = async (_: number, at?: number) => {
        if (at === undefined) rung = true;
      };
      const spent = await b.event(({ context }) => tick({ ...context, desks: { ring } }));
      expect(spent.subrequests, JSON.stringify({ ticks, ...spent })).toBeLessThanOrEqual(most);
      expect(rung, "the last job of a tick").toBe(true);
      const after = await left();
      expect(after, "every tick brings it further").toBeLessThan(before);
      before = after;
    }
    expect(await stateOf("overdue-24")).toBe("expired");
    await finish();
  });

  it(`${budgets.busyBeat.event}, however many stand still at a budget at once: more heartbeats ask about them, and each is answered`, async () => {
    const wide = await joined(aside.context.hq, "desk-4", { workspaces: [workspace], slots: 64, startedAt: Date.now() });
    const ids = Array.from({ length: 40 }, (_, i) => `capped-${i}`);
    for (const id of ids) {
      const { factory: wanted, ...asked } = wish({ id, workspace, message: null, receivedAt: Date.now() });
      await aside.context.hq.store.tasks.create({ ...asked, wanted }, { kind: "delegated", text: "" }, Date.now());
    }
    await b.admin.execute(
      `update tasks set state = 'running', factory = 'desk-4', lease_until = ${Date.now() + 60_000} where id like 'capped-%'`,
    );
    const scope = { kind: "factory" as const, of: "desk-4" };
    const budget = { id: "factory:desk-4:day:usd", scope, period: "day" as const, unit: "usd" as const, amount: 1000 };
    const run = { epoch: 1, step: 1, cost: 0, tokens: 0, paused: true, overBudget: { budget, spent: 900, need: 200, time: 1 } };
    const running = ids.map((task) => ({ ...run, task }));
    const beat = async () => {
      const spent = await post(paths.heartbeat, await wide.sealed("heartbeat", quietBeat(wide.facts, { running })));
      expect(spent.subrequests, JSON.stringify(spent)).toBeLessThanOrEqual(most);
      return spent;
    };
    const asked = async () => (await b.admin.execute("select 1 from questions where task like 'capped-%'")).rows.length;
    for (let before = 0; before < ids.length; ) {
      await beat();
      const after = await asked();
      expect(after, "every heartbeat brings it further").toBeGreaterThan(before);
      before = after;
    }
    await finish();
    // What other tests left on the way to the bus goes along with the first ones.
    const then: number[] = [];
    while (then.length < 8) then.push((await beat()).sql);
    expect(then.at(-1), "what was asked waits without a call of its own").toBeLessThanOrEqual(budgets.busyBeat.sql + 5);
    expect(await asked()).toBe(ids.length);
  });

  it(budgets.page.event, async () => {
    const session = { hash: await hashSecret("session"), expiresAt: Date.now() + 60_000 };
    await b.event(async ({ context: { hq } }) => {
      await hq.store.access.addLogin("login", Date.now() + 60_000);
      await hq.store.access.redeemLogin("login", session, Date.now());
    });
    for (const path of ["/", "/tasks", "/costs", `/tasks/${(await ordered(desk(1))).id}`]) {
      const look = ({ request }: Event) => request(path, { headers: { cookie: "__Host-uac=session" } });
      within(await b.event(async (event) => ok(await look(event))), budgets.page);
    }
  });
});

it("no event may need more than a free Worker has", () => {
  for (const { event, subrequests, sql } of Object.values(budgets)) {
    expect(subrequests, event).toBeLessThanOrEqual(most);
    expect(sql, event).toBeLessThanOrEqual(subrequests);
    expect(renderBudgets()).toContain(`| ${event} | ${subrequests} | ${sql} |`);
  }
});

async function stateOf(id: string) {
  return (await b.admin.execute({ sql: "select state from tasks where id = ?", args: [id] })).rows[0]?.state;
}
