/** What needs a person's eye, worst first, each with what to do about it. */
import type { ActiveTask, Corporation, FactoryRow } from "./panels/corporation.query.ts";
import { many, plain } from "./text.ts";

export interface Problem {
  id: string;
  severe: boolean;
  title: string;
  detail: string;
  /** Since when, if that says something. */
  at: number | null;
  task?: { id: string; title: string };
}

/** A tick is due every minute; so late it is not coming. Milliseconds. */
const tickLateMs = 5 * 60_000;

export function problems(corporation: Corporation, now: number): Problem[] {
  const found = [
    ...corporation.fleet.flatMap(ofFactory),
    ...clockwork(corporation.tickedAt, now),
    ...corporation.incidents.map(
      (incident, i): Problem => ({
        id: `incident-${i}`,
        severe: true,
        title: `Incident: ${plain(incident.kind).replaceAll("_", " ")}${incident.factory ? ` (${incident.factory})` : ""}`,
        detail: plain(incident.text),
        at: incident.at,
      }),
    ),
    ...undelivered(corporation),
    // What the owner is asked about stands above.
    ...corporation.held
      .filter((task) => !corporation.asks.some((ask) => ask.task === task.id))
      .map(
        (task): Problem => ({
          id: `held-${task.id}`,
          severe: false,
          title: "Held",
          detail: task.reason === "" ? "No reason was written down." : plain(task.reason),
          at: task.updatedAt,
          task,
        }),
      ),
  ];
  return found.toSorted((a, b) => Number(b.severe) - Number(a.severe));
}

function ofFactory(factory: FactoryRow): Problem[] {
  const base = { id: `trouble-${factory.id}`, at: factory.lastHeartbeatAt };
  if (factory.liveness === "pending") {
    const detail = "Compare its fingerprint with the one on the desktop's screen, then approve it in the chat";
    return [{ ...base, severe: false, title: `${factory.name} asks to join`, detail, at: factory.enrolledAt }];
  }
  if (factory.liveness === "stale" && factory.tasks.length > 0) {
    return [{ ...base, severe: false, title: `${factory.name} missed a heartbeat`, detail: "Its tasks keep their lease for now" }];
  }
  if (factory.liveness !== "offline") return [];
  const [task] = factory.tasks;
  if (task) return [leasingWhileGone(factory, task, base)];
  const detail = "No task waits for it to finish. Start `npx tsx branch-agent` there, or retire it in the chat";
  return [{ ...base, severe: false, title: `${factory.name} is offline`, detail }];
}

function leasingWhileGone(factory: FactoryRow, task: ActiveTask, base: { id: string; at: number | null }): Problem {
  const others = factory.tasks.length - 1;
  return {
    ...base,
    severe: true,
    title: `${factory.name} is offline but leasing ${task.id}${others > 0 ? ` and ${many(others, "more task")}` : ""}`,
    detail: "When the lease ends, headquarters gives the work out again. Wake the desktop to keep this attempt",
    task,
  };
}

function clockwork(tickedAt: number | null, now: number): Problem[] {
  if (tickedAt === null || now - tickedAt < tickLateMs) return [];
  const detail = "Lost tasks are not given out again until its minute tick runs: look at the Worker's cron trigger and its log.";
  return [{ id: "tick", severe: true, title: "Headquarters' clockwork stands still", detail, at: tickedAt }];
}

function undelivered(corporation: Corporation): Problem[] {
  const found: Problem[] = [];
  if (corporation.unsent.orders > 0) {
    found.push({
      id: "unsent",
      severe: true,
      title: `${many(corporation.unsent.orders, "order")} can't get onto the bus`,
      detail: `Check BUS_URL and BUS_TOKEN; they are resent by themselves. Last error: ${plain(corporation.unsent.error) || "none was written down"}`,
      at: null,
    });
  }
  if (corporation.lettersDropped > 0) {
    found.push({
      id: "letters",
      severe: true,
      title: `${many(corporation.lettersDropped, "message")} to the chat dropped in the last 24 hours`,
      detail: "The chat refused them for good. Look at the tasks below for what they would have said",
      at: null,
    });
  }
  return found;
}
