/** One guard taken out by composition, to see that its absence is noticed. */
import type { Journal, Report } from "#ports/journal.ts";
import type { Store } from "#ports/store.ts";

/**
 * `fence`: headquarters takes every result for the present attempt's. `journal`: a branch remembers nothing over a restart.
 * `outbox`: what could not be sent at once is forgotten, at headquarters and at branches.
 */
export const sabotages = ["fence", "journal", "outbox"] as const;
export type Sabotage = (typeof sabotages)[number];

export const sabotageVariable = "CHAOS_SABOTAGE";

export function sabotageOf(env: Readonly<Record<string, unknown>>): Sabotage | null {
  return sabotages.find((one) => one === env[sabotageVariable]) ?? null;
}

const nothing = { results: [], usages: [], incidents: [], heard: [] };

/** A store that does not ask whose result it is, or of which attempt. */
export function unfenced(store: Store): Store {
  const { tasks } = store;
  return {
    ...store,
    tasks: {
      ...tasks,
      async settle(factory, told, now) {
        const outcomes: Awaited<ReturnType<typeof tasks.settle>> = [];
        for (const { event, result } of told.results) {
          const task = await tasks.get(result.task);
          const taken = { ...nothing, results: [{ event, result: { ...result, epoch: task?.epoch ?? result.epoch } }] };
          outcomes.push(...(await tasks.settle(task?.factory ?? factory, taken, now)));
        }
        await tasks.settle(factory, { ...told, results: [] }, now);
        return outcomes;
      },
    },
  };
}

/** An outbox that is none: an order goes out in the event that wrote it, or never. Made for each event. */
export function forgetfulOutbox(store: Store): Store {
  const written = new Set<string>();
  return {
    ...store,
    tasks: {
      ...store.tasks,
      async dispatch(id, epoch, to, now) {
        written.add(`${id}:${epoch}`);
        return store.tasks.dispatch(id, epoch, to, now);
      },
    },
    outbox: {
      ...store.outbox,
      async due(now, limit) {
        const due = await store.outbox.due(now, limit);
        return due.filter(({ task, epoch }) => written.has(`${task}:${epoch}`));
      },
    },
  };
}

/** A journal whose reports lie in memory: those of an earlier life of the process are gone. */
export function forgetfulReports(journal: Journal): Journal {
  const mine = new Set<string>();
  const noted = (report: Report) => {
    mine.add(report.id);
    return report;
  };
  return {
    ...journal,
    report: (task, epoch, report, ...rest) => journal.report(task, epoch, noted(report), ...rest),
    send: (report, ...rest) => journal.send(noted(report), ...rest),
    unsent: async (limit) => (await journal.unsent(limit)).filter(({ id }) => mine.has(id)),
    missed: async (seqs, now) => (await journal.missed(seqs, now)).filter(({ id }) => mine.has(id)),
  };
}
