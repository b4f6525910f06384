/** Killing HQ between any two calls of a completion's way: it is never lost, and stands twice only by the rule for ambiguous sends. */
import { expect, it } from "vitest";
import { delegate } from "#factory/delegate.ts";
import { again, deliverLetters } from "#factory/deliver.ts";
import { settleAndTell } from "../../hq-worker/api.ts";
import { tick } from "../../hq-worker/tick.ts";
import { receipt } from "../contracts/store/samples.ts";
import { resultOf, wish } from "../factory/headquarters.ts";
import { lifeUntil } from "../support/mortal.ts";
import { openOffice } from "./office.ts";

it.each(["before", "after"] as const)(
  "a headquarters killed %s any call tells each completion",
  async (when) => {
    const b = await openOffice();
    const desk = await b.join("desk-1", { slots: 40 });
    await tick(b.context);
    let last = 0;
    for (let died = true; died; last += 1) {
      const id = `t${last}-1-1`;
      await delegate(b.hq, wish({ id }));
      await deliverLetters(b.hq);
      await b.client.execute({ sql: "update tasks set state = 'running', lease_until = 99999999999999 where id = ?", args: [id] });
      await desk.say("result", resultOf({ task: id, receipt }));
      b.chat.delivered.length = 0;

      const life = lifeUntil(last, when);
      const hq = { ...b.hq, store: life.of(b.store), bus: life.of(b.hq.bus), chat: life.of(b.hq.chat) };
      await settleAndTell({ ...b.context, hq });
      died = life.dead;
      const doubtful = b.chat.delivered.some(({ body }) => "content" in body && body.content.text.includes(id)) && died;

      for (let minute = 0; minute < 3; minute += 1) {
        await b.clock.advance(61_000);
        await desk.beat();
        await tick(b.context);
      }
      const where = `killed ${when} call ${last}`;
      const copies = b.chat.delivered.flatMap(({ body }) => (body.kind === "text" ? [body.content.text] : []));
      expect(copies.length, where).toBeGreaterThanOrEqual(1);
      expect(copies.filter((copy) => !copy.includes(again)).length, where).toBeLessThanOrEqual(1);
      if (!doubtful && !died) expect(copies, where).toHaveLength(1);
      expect(copies.length, where).toBeLessThanOrEqual(2);
      const files = b.chat.delivered.flatMap(({ body }) => (body.kind === "document" ? [body.caption] : []));
      expect(files.length, where).toBeOneOf([1, 2]);
      expect(files.filter((caption) => !caption.includes(again)).length, where).toBeLessThanOrEqual(1);
      expect(await b.rows("select key from letters where sent_at is null and dropped_at is null"), where).toEqual([]);
      expect(
        (await b.store.tasks.events(id)).filter((event) => event.kind === "succeeded"),
        where,
      ).toHaveLength(1);
    }
    expect(last, "calls of a completion's way").toBeGreaterThan(12);
    b.close();
  },
  60_000,
);
