/** Queue → factory: routes what is queued, writes sealed orders into the outbox, and puts them on the bus. */
import { hasCode, publicMessage } from "#core/errors.ts";
import { liveness, ordersKept } from "#core/fleet.ts";
import { endingBy } from "#core/limits.ts";
import { type Candidate, type Route, route } from "#core/routing.ts";
import { isTerminal } from "#core/task.ts";
import type { OwnerBudget } from "#ports/budgets.ts";
import type { Factory } from "#ports/factories.ts";
import type { Task } from "#ports/tasks.ts";
import { closeMoot } from "./ask-owner.ts";
import { showUsedUp, usedUp } from "./budgets.ts";
import { cardEdit } from "./card.ts";
import type { Headquarters } from "./headquarters.ts";
import { seal } from "./seal.ts";

type Deps = Pick<Headquarters, "self" | "profile" | "settings" | "store" | "bus" | "signer" | "clock" | "ids" | "log" | "callsLeft">;

/** Waiting tasks that are looked at in one go: more than `batch`, so that those which can't go hold up none that can. */
const considered = 100;
/** At most this many tasks are given out, and this many orders published, in one go: the rest waits for the next. */
const batch = 10;
/** Calls that giving out one task, or publishing its order, takes; and those that are left for the letters. */
const callsEach = 7;
const callsKept = 6;
const mayGoOn = (deps: Deps) => deps.callsLeft() >= callsKept + callsEach;

/** The fleet as the router sees it. */
export function candidates(fleet: readonly Factory[], now: number): Candidate[] {
  return fleet.flatMap((factory) =>
    factory.facts
      ? [
          {
            id: factory.id,
            name: factory.name,
            liveness: liveness(factory, now),
            capabilities: factory.facts.capabilities,
            workspaces: factory.facts.workspaces,
            slots: factory.facts.slots,
            busy: factory.busy,
          },
        ]
      : [],
  );
}

/** Where a queued or held task goes now: to none whose budget is used up. */
function wayOf(task: Task, fleet: readonly Candidate[], budgets: readonly OwnerBudget[], now: number): Route {
  const request = { kind: task.kind, workspace: task.workspace, factory: task.wanted };
  const way = route(request, fleet);
  // A follow-up asks no model.
  if (task.follow !== null) return way;
  const spent = new Map(fleet.map(({ id }) => [id, usedUp(budgets, { factory: id, seat: task.kind }, now)]));
  const used = "to" in way ? spent.get(way.to) : null;
  if (!used) return way;
  const other = route(
    request,
    fleet.filter(({ id }) => !spent.get(id)),
  );
  return "to" in other || other.hold === "busy" ? other : { hold: "budget", reason: showUsedUp(used, now) };
}

/** What is ready, each with where it goes, in the order in which it happens: what goes takes its place from those after it. */
export async function planOf(deps: Pick<Deps, "store" | "clock">): Promise<{ task: Task; way: Route }[]> {
  const { store, clock } = deps;
  const ready = await store.tasks.ready(clock.now(), considered);
  if (ready.length === 0) return [];
  const now = clock.now();
  const [fleet, budgets] = await Promise.all([store.factories.list().then((all) => candidates(all, now)), store.budgets.standings(now)]);
  return ready.map((task) => {
    const way = wayOf(task, fleet, budgets, now);
    const factory = "to" in way ? fleet.find((candidate) => candidate.id === way.to) : undefined;
    if (factory) factory.busy += 1;
    return { task, way };
  });
}

/** A busy fleet is an ordinary queue, to which a held task goes back; everything else needs something to change first, and is told. */
function stays(task: Task, way: Route): boolean {
  return "hold" in way && (task.state === "held") === (way.hold !== "busy");
}

/** Does what `way` says with one queued or held task: writes its order, or holds it. */
export async function dispatchTask(deps: Deps, task: Task, way: Route): Promise<void> {
  const { store, clock } = deps;
  if (stays(task, way)) return;
  const now = clock.now();
  if ("hold" in way && way.hold === "busy") {
    await store.tasks.move(task.id, task.epoch, "release", { kind: "released", text: way.reason, code: "", from: task.state }, now);
    return;
  }
  if ("hold" in way) {
    await store.tasks.move(task.id, task.epoch, "hold", { kind: "held", text: way.reason, code: way.hold, from: task.state }, now);
    return;
  }
  if (task.state === "held") {
    const entry = { kind: "released", text: way.reason, code: "" };
    if (!(await store.tasks.move(task.id, task.epoch, "release", entry, now))) return;
  }
  const body = {
    task: task.id,
    epoch: task.epoch,
    kind: task.kind,
    title: task.title,
    instruction: task.instruction,
    workspace: task.workspace,
    limits: endingBy(task.limits, task.deadline, now),
    requireVerified: task.requireVerified,
    follow: task.follow,
    ...(task.withEdits && { withEdits: true as const }),
  };
  const seq = await store.next(`seq:${way.to}`);
  const order = await seal(deps, "order", body, { aud: way.to, corr: task.id, seq });
  await store.tasks.dispatch(
    task.id,
    task.epoch,
    { factory: way.to, places: way.places, reason: way.reason, order: order.jws, orderId: order.id, instruction: task.instruction },
    clock.now(),
  );
}

/** Routes everything that waits for a factory, then publishes. Resolves to how many tasks went on. */
export async function dispatchAll(deps: Deps): Promise<number> {
  let given = 0;
  for (const { task, way } of await planOf(deps)) {
    if (stays(task, way)) continue;
    if (given === batch || !mayGoOn(deps)) break;
    given += 1;
    // One that can't be given out must not keep the others from it.
    await dispatchTask(deps, task, way)
      .then(() => showHold(deps, task, way))
      .catch((error: unknown) => {
        if (hasCode(error, "store_unavailable")) throw error;
        deps.log.error("a task could not be dispatched", { task: task.id, error });
      });
  }
  await publishOrders(deps);
  return given;
}

/** A task that begins to wait for something, or ends to, says so on its card: no progress will, for as long as it waits. */
async function showHold(deps: Deps, task: Task, way: Route) {
  if (!("hold" in way) && task.state !== "held") return;
  const now = await deps.store.tasks.get(task.id);
  if (now && !isTerminal(now.state)) await deps.store.letters.add([cardEdit(deps, now, [])], deps.clock.now());
  if (now && task.state === "held") await closeMoot(deps, now);
}

/**
 * Outbox → bus. An unknown outcome leaves the row due, and a factory that does not name the order when it beats makes it due again
 * (`shared/factory/heartbeat.ts`): the same bytes are sent once more, and the factory knows them.
 */
export async function publishOrders(deps: Deps): Promise<void> {
  const { store, bus, clock, log } = deps;
  for (const row of await store.outbox.due(clock.now(), batch)) {
    if (!mayGoOn(deps)) return;
    try {
      await bus.publish({ factory: row.factory, channel: "in" }, row.order, ordersKept);
      await store.outbox.sent(row, { kind: "published", text: `the order is on the bus for ${row.factory}` }, clock.now());
    } catch (error) {
      log.warn("an order could not be published", { task: row.task, epoch: row.epoch, factory: row.factory, error });
      await store.outbox.retryAt(row, clock.now() + 5000, publicMessage(error));
      if (hasCode(error, "bus_unavailable") || hasCode(error, "bus_denied")) return;
    }
  }
}
