/** A headquarters with a desk of four slots, and what a test asks of its queue. */
import type { Result } from "#core/envelope.ts";
import { grantClaim } from "#factory/claim.ts";
import { type Delegation, delegate } from "#factory/delegate.ts";
import { openHq, resultOf, settleResult, wish } from "./headquarters.ts";

export const minute = 60_000;

export async function openQueue() {
  const b = await openHq();
  const desk = await b.join("desk-1", { slots: 4 });
  return {
    ...b,
    desk,
    ask: (id: string, changed: Partial<Delegation> = {}) => delegate(b.hq, wish({ id, ...changed })),
    /** The factory claims the last order of a task. */
    async claim(id: string, epoch = 1) {
      const order = (await desk.orders()).findLast((each) => each.body.task === id);
      return grantClaim(b.hq, await desk.factory(), { task: id, epoch, order: order?.id ?? "" });
    },
    /** Its result comes in. */
    done: (id: string, changed: Partial<Result> = {}) => settleResult(b.hq, "desk-1", resultOf({ task: id, ...changed })),
    states: (...ids: string[]) => Promise.all(ids.map(async (id) => (await b.task(id)).state)),
    kinds: async (id: string) => (await b.store.tasks.events(id)).map((event) => event.kind),
    /** Tasks whose end was announced. */
    async told() {
      return (await b.rows("select key from letters where key like 'done:%' order by id")).map((row) => String(row.key).slice(5));
    },
    /** The text of a letter. */
    async said(key: string) {
      const [row] = await b.rows("select body_json ->> '$.content.text' as text from letters where key = ?", key);
      return String(row?.text);
    },
  };
}

export type QueueBench = Awaited<ReturnType<typeof openQueue>>;
