/** What factories said becomes state: HQ accepts what is theirs to say, and tells the owner. */
import type { Envelope, Kind, Progress, Result } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import type { LedgerEntry } from "#core/ledger.ts";
import type { Incident } from "#ports/incidents.ts";
import type { Told } from "#ports/tasks.ts";
import { cardEdit } from "./card.ts";
import { onTask } from "./control.ts";
import { ended } from "./ended.ts";
import type { Headquarters } from "./headquarters.ts";
import { requeue } from "./recover.ts";
import { mayBeRetried, tryAgain } from "./retry.ts";

/** Cards that one drain brings up to date. */
const cardsShown = 50;

/** Tasks of which the owner is to hear. */
export interface News {
  /** They went on. */
  told: Set<string>;
  /** They ended. */
  over: Set<string>;
}

/** The part of an envelope that counts here: `seq` is its number among its factory's reports, 0 for a line of progress. */
export type Said = { [K in Kind]: Pick<Envelope<K>, "kind" | "seq" | "body"> }[Kind];

const events = { succeeded: "succeed", failed: "fail", cancelled: "cancel" } as const;

/**
 * Takes down what a factory said: the results and what came with them in one batch, with the numbers of the reports, which are heard
 * from then on. All or nothing but for what was given back; said again it changes nothing.
 */
export async function settleSaid(deps: Headquarters, factory: string, said: readonly Said[], news: News): Promise<void> {
  const { store, clock, log } = deps;
  const results: Told["results"][number][] = [];
  const usages: LedgerEntry[] = [];
  const incidents: Incident[] = [];
  const heard: number[] = [];
  const lines: Progress[] = [];
  for (const one of said) {
    if (one.kind !== "progress") heard.push(one.seq);
    switch (one.kind) {
      case "progress":
        lines.push(one.body);
        break;
      case "usage":
        usages.push(...one.body.usages);
        break;
      case "reject":
        incidents.push({
          kind: "order_rejected",
          factory,
          text: `${factory} would not take an order: ${one.body.reason}`,
          digest: `${factory}:${one.body.entry}`,
        });
        break;
      case "result":
        if (one.body.outcome === "released") {
          usages.push(...one.body.usages);
          await takeBack(deps, factory, one.body);
        } else {
          const last = await tryAgain(deps, factory, one.body);
          if (last) results.push({ event: events[one.body.outcome], result: last });
        }
        break;
      default:
        throw new UacError("bad_envelope", `a ${one.kind} does not travel by bus`);
    }
  }
  if (lines.length > 0) await store.tasks.progress(factory, lines, clock.now());
  for (const line of lines) news.told.add(line.task);
  if (heard.length === 0) return;
  const outcomes = await store.tasks.settle(factory, { results, usages, incidents, heard }, clock.now());
  for (const [i, { result }] of results.entries()) {
    const { task, epoch, outcome: was, code } = result;
    log.info("a result came in", { task, epoch, factory, result: was, code, outcome: outcomes[i] });
    if (outcomes[i] === "accepted") news.over.add(task);
  }
}

/** A factory gave an attempt back unharmed. */
async function takeBack(deps: Headquarters, factory: string, { task: id, epoch, reason }: Result) {
  const outcome = await onTask(deps, id, async (task) => {
    if (task.epoch !== epoch || task.factory !== factory) return "stale";
    return (await requeue(deps, task, "return", reason, "released")) ? "returned" : null;
  });
  deps.log.info("an attempt was given back", { task: id, epoch, factory, outcome });
}

/** One edit of a task's card, however many lines came in; and what follows from the end of others. */
export async function tellOwner(deps: Headquarters, { told, over }: News): Promise<void> {
  const { store, clock } = deps;
  const ids = [...told].filter((task) => !over.has(task)).slice(0, cardsShown);
  const cards = (await store.tasks.atWork(ids)).map(({ task, steps }) => cardEdit(deps, task, steps));
  await store.letters.add(cards, clock.now());
  await ended(deps, ...over);
}

/** True of a result that HQ settles with calls of its own, and so not in one batch with others. */
export function needsCalls(said: Said): boolean {
  return said.kind === "result" && (said.body.outcome === "released" || mayBeRetried(said.body));
}
