/** No factory can take a task: the owner is asked what shall become of it, once for each time that it is held. */
import type { Option, Question } from "#core/question.ts";
import { bold, code } from "#core/rich-text.ts";
import { type HoldCode, route } from "#core/routing.ts";
import { isTerminal } from "#core/task.ts";
import type { Factory } from "#ports/factories.ts";
import type { Task } from "#ports/tasks.ts";
import { askOwner, timeOf } from "./ask-owner.ts";
import { cancelTask } from "./cancel.ts";
import { cardEdit } from "./card.ts";
import { candidates, dispatchTask, planOf, publishOrders } from "./dispatch.ts";
import type { Headquarters } from "./headquarters.ts";

/** Something has to change before such a task can go. A busy fleet is an ordinary queue, and nobody is asked. */
const askedAbout: readonly HoldCode[] = ["no_factory", "no_capability", "no_workspace", "offline", "budget"];
/** A factory that is started again is back by then: nobody is asked for that. Milliseconds. */
const patienceMs = 60_000;
/** Of one chat: more would be noise. The next is asked when one is settled. */
const mostOpen = 20;
const perSweep = 5;
/** Calls that one question takes. */
const callsEach = 3;
const offered = 3;
const hourMs = 3_600_000;

const waits: Readonly<Record<string, number>> = { "wait-1h": hourMs, "wait-8h": 8 * hourMs };
const give = "to-";
const gone = "The task is not there any more.";
const anew = "The task was held anew meanwhile: what counts is the answer to the question about that.";

/** Asks about this task, if it is held and nobody was asked yet. Resolves to the question; null where there is none. */
export async function askAboutHold(deps: Headquarters, task: Task): Promise<Question | null> {
  const [hold] = await deps.store.questions.unasked({ codes: askedAbout, heldBefore: deps.clock.now(), task: task.id, mostOpen, limit: 1 });
  return hold ? ask(deps, task, hold.key, await deps.store.factories.list()) : null;
}

/** Asks about every task that has been held for a while. */
export async function askAboutHolds(deps: Headquarters): Promise<void> {
  const { store, clock } = deps;
  const holds = await store.questions.unasked({ codes: askedAbout, heldBefore: clock.now() - patienceMs, mostOpen, limit: perSweep });
  const fleet = holds.length > 0 ? await store.factories.list() : [];
  for (const { task: id, key } of holds) {
    if (deps.callsLeft() < callsEach) return;
    const task = await store.tasks.get(id);
    if (task?.state === "held") await ask(deps, task, key, fleet);
  }
}

async function ask(deps: Headquarters, task: Task, key: string, fleet: readonly Factory[]): Promise<Question> {
  const when = task.code === "budget" ? "there is room again (/budget raises it)" : "a factory can take it";
  const end = task.deadline === null ? "" : ` It expires ${timeOf(task.deadline, deps.clock.now())}.`;
  return askOwner(deps, {
    key,
    kind: "hold",
    task: task.id,
    epoch: task.epoch,
    chat: task.chat,
    what: [
      bold(task.title),
      ` – held: ${task.reason}`,
      `\nWhat shall become of it? It begins by itself when ${when}; if you say nothing, it waits.`,
      `${end}\n`,
      code(task.id),
    ],
    line: `the owner was asked what shall become of it: ${task.reason}`,
    options: optionsFor(task, fleet, deps.clock.now()),
    otherwise: null,
    expiresAt: null,
  });
}

/** What can be done, from the facts: nobody is offered who could not take it now. */
export function optionsFor(task: Task, fleet: readonly Factory[], now: number): Option[] {
  // The commit is where it is: no other has it.
  const others = task.follow === null ? fleet : [];
  const able = others.filter(({ id }) => {
    const way = route({ kind: task.kind, workspace: task.workspace, factory: id }, candidates(fleet, now));
    return id !== task.wanted && ("to" in way || way.hold === "busy");
  });
  const [branches, headquarters] = [able.filter(({ role }) => role === "branch"), able.filter(({ role }) => role === "headquarters")];
  return [
    { key: "wait", label: task.deadline === null ? "Wait without limit" : "Wait" },
    { key: "wait-1h", label: "Wait at most 1 h" },
    { key: "wait-8h", label: "Wait at most 8 h" },
    ...branches.slice(0, offered).map(({ id, name }) => ({ key: `${give}${id}`, label: short(`Give it to ${name}`) })),
    ...headquarters.slice(0, 1).map(({ id, name }) => ({ key: `${give}${id}`, label: short(`Give it to headquarters (${name})`) })),
    { key: "cancel", label: "Cancel it" },
  ];
}

/** Carries the owner's decision out. The task may have gone on meanwhile, or have been asked about anew: then it changes nothing, and that is said. */
export async function decideHold(deps: Headquarters, question: Question): Promise<string> {
  const { epoch, answer } = question;
  const task = question.task === null ? null : await deps.store.tasks.get(question.task);
  if (!task || !answer?.option) return gone;
  if (!(await deps.store.questions.current(question.id))) return anew;
  const { option, at, by } = answer;
  if (option === "cancel") {
    const outcome = await cancelTask(deps, task.id, `cancelled by ${by}`);
    return outcome === "requested" ? "A factory had begun it; it was told to stop." : whereIs(deps, task.id, "");
  }
  // What was decided about an attempt is nothing to the next one.
  const counts = task.epoch === epoch;
  const wait = counts ? waits[option] : undefined;
  // "At most": what the owner said before about the task stays.
  const until = wait === undefined ? null : Math.min(at + wait, task.deadline ?? Number.POSITIVE_INFINITY);
  const change = (wishes: Pick<Partial<Task>, "wanted" | "deadline">) =>
    deps.store.tasks.change(task.id, task.epoch, wishes, question.id, deps.clock.now());
  if (counts && option.startsWith(give)) {
    const factory = option.slice(give.length);
    // It is that factory's already where a crash came between the two.
    if ((await change({ wanted: factory })) || task.wanted === factory) await giveTo(deps, task, factory);
  }
  if (until !== null) await change({ deadline: until });
  const now = deps.clock.now();
  return whereIs(deps, task.id, until === null ? "It waits." : `It waits; unless it has begun by then, it expires ${timeOf(until, now)}.`);
}

/** A task that is meant for another factory goes there, at once if it is its turn; one that can't take it holds it anew, for its own reason, and the owner is asked again. */
async function giveTo(deps: Headquarters, task: Task, factory: string): Promise<void> {
  const { store, clock } = deps;
  const text = `it is for ${factory} now`;
  if (task.state === "held") await store.tasks.move(task.id, task.epoch, "release", { kind: "released", text, code: "" }, clock.now());
  const next = (await planOf(deps)).find((step) => step.task.id === task.id);
  if (!next) return;
  await dispatchTask(deps, next.task, next.way);
  await publishOrders(deps);
}

/** Shows on the task's card where it is now, and resolves to the same for the owner. `waiting` is said while nobody has it. */
async function whereIs(deps: Headquarters, id: string, waiting: string): Promise<string> {
  const task = await deps.store.tasks.get(id);
  if (!task) return gone;
  if (isTerminal(task.state)) return `It is ${task.state}: ${task.reason}.`;
  await deps.store.letters.add([cardEdit(deps, task, [])], deps.clock.now());
  return task.state === "held" || task.state === "queued" ? `${waiting} Now: ${task.reason}.` : `${task.factory ?? "A factory"} has it.`;
}

/** As much of it as a button shows. */
function short(label: string): string {
  return label.length <= 64 ? label : `${label.slice(0, 63)}…`;
}
