/**
 * What each event of headquarters may ask of others, and docs/budgets.md. A free Worker may make 50 subrequests in an event; what is left
 * goes on in the next. `test/hq-worker/budgets.test.ts` counts what really leaves, and fails where it is more, or so much less that the
 * number here says nothing.
 */
export interface Budget {
  event: string;
  /** Requests that leave: database, bus (over Upstash's REST protocol), chat and model together. */
  subrequests: number;
  /** Those of them that go to the database; each is one batch or one query. */
  sql: number;
}

export const budgets = {
  webhook: { event: "a message comes in by the webhook", subrequests: 1, sql: 1 },
  turn: { event: "a turn of Simone's that delegates one task", subrequests: 42, sql: 36 },
  tap: { event: "a tap on a card's stop button", subrequests: 22, sql: 18 },
  claim: { event: "a factory claims a task", subrequests: 6, sql: 6 },
  idleBeat: { event: "a heartbeat of a factory with nothing to do", subrequests: 8, sql: 8 },
  busyBeat: { event: "a heartbeat of a factory with a running task", subrequests: 10, sql: 10 },
  doorbell: { event: "a doorbell, and one result on the bus", subrequests: 26, sql: 20 },
  fullDrain: { event: "a doorbell, and 50 entries of 3 factories on the bus", subrequests: 50, sql: 44 },
  idleTick: { event: "the minute tick with nothing to do", subrequests: 19, sql: 17 },
  busyTick: { event: "the minute tick with lost tasks, waiting tasks and letters", subrequests: 50, sql: 44 },
  page: { event: "a page of the dashboard", subrequests: 5, sql: 5 },
} as const satisfies Record<string, Budget>;

/** The whole page, ending in a newline. */
export function renderBudgets(): string {
  return [
    "# Budgets",
    "",
    "What one event of headquarters may ask of others. Written by `npm run docs` from `scripts/docs/budgets.ts`;",
    "`test/hq-worker/budgets.test.ts` counts what really leaves: headquarters composed as in the Worker, with libSQL over HTTP, the bus over",
    "Upstash's REST protocol, a chat and a model. A free Worker may make 50 subrequests in an event (`hq-worker/calls.ts`); whoever would make more",
    "leaves the rest to the next event. Ringing a chat's desk (a Durable Object) is no subrequest to the outside and is not counted.",
    "",
    "| event | subrequests at most | of them SQL calls |",
    "|---|---|---|",
    ...Object.values(budgets).map(({ event, subrequests, sql }) => `| ${event} | ${subrequests} | ${sql} |`),
    "",
    "What these come to in an hour and a month without work is measured by `npm run bench -- idle` ([bench](bench.md)).",
    "",
  ].join("\n");
}
