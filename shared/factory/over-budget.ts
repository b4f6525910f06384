/** A task that stands still at its factory since a budget holds no further call: the owner is asked, once, and the answer goes there as a control. */
import { showAmount } from "#core/budget.ts";
import { showReset } from "#core/budget-period.ts";
import type { NewTaskControl } from "#core/control.ts";
import type { OverBudgetAt } from "#core/envelope.ts";
import type { Option, Question } from "#core/question.ts";
import { bold, code } from "#core/rich-text.ts";
import { isTerminal, overBudgetCode } from "#core/task.ts";
import type { Task } from "#ports/tasks.ts";
import { askOwner, closeQuestion } from "./ask-owner.ts";
import { cancelTask } from "./cancel.ts";
import { showCap } from "./cap.ts";
import { cardEdit } from "./card.ts";
import { publishControl } from "./control.ts";
import type { Headquarters } from "./headquarters.ts";

type Deps = Pick<Headquarters, "store" | "clock" | "profile" | "settings" | "callsLeft">;

const raise = "raise-";
/** Questions about the same standstill that settled themselves by mistake: an answer that overtook a later one. More than ever come. */
const mostAnew = 5;
/** Questions that are looked through at once. */
const mostOpen = 200;
/** Calls that one run takes, and those that are left for the rest of a heartbeat. */
const callsEach = 8;
const callsKept = 4;
/** Nano-dollars, and tokens. */
const steps = { usd: [0.01, 0.1, 1, 5, 10, 50, 100].map((usd) => usd * 1_000_000_000), tokens: [1e4, 1e5, 1e6, 1e7, 1e8] };
const gone = "The task is not there any more.";
const movedOn = "It was decided otherwise, or it goes on, meanwhile: this changes nothing.";

/** Of a factory's runs: one that HQ knows, and what the factory says of it. */
interface Told {
  task: Task;
  at: OverBudgetAt | null;
}

/** With each heartbeat: what the factory says of runs that it holds, against what is known of their tasks. What an event has no calls left for waits for the next heartbeat. */
export async function heedCaps(deps: Deps, runs: readonly Told[]): Promise<void> {
  const isStill = ({ task }: Told) => task.state === "paused" && task.code === overBudgetCode;
  const concerned = runs.filter((run) => run.at !== null || isStill(run));
  if (concerned.length === 0) return;
  // A whole factory may stand still for days: what waits for its answer costs no call of its own.
  const open = (await deps.store.questions.open({ limit: mostOpen })).map(({ key }) => key);
  for (const run of concerned) {
    const { task, at } = run;
    if (isStill(run) && at && open.some((key) => isAbout(key, task, at))) continue;
    if (deps.callsLeft() < callsKept + callsEach) return;
    await (at ? standStill(deps, task, at) : goOn(deps, task));
  }
}

async function standStill(deps: Deps, task: Task, at: OverBudgetAt): Promise<void> {
  const { store, clock } = deps;
  const asked = await lastAsked(deps, task, at);
  // It is decided: the control is on its way.
  if ("answered" in asked) return;
  const reason = `stands still: ${showCap(at)}`;
  if (task.state === "running") {
    const entry = { kind: "paused", text: reason, code: overBudgetCode, from: task.state };
    if (!(await store.tasks.move(task.id, task.epoch, "pause", entry, clock.now()))) return;
    await store.letters.add([cardEdit(deps, { ...task, state: "paused", reason }, [])], clock.now());
  } else if (task.code !== overBudgetCode) return;
  if (asked.key === null) return;
  await askOwner(deps, {
    key: asked.key,
    kind: "budget",
    task: task.id,
    epoch: task.epoch,
    chat: task.chat,
    what: [
      bold(task.title),
      ` – ${reason}`,
      `\nThe next call may take up to ${showAmount(at.budget.unit, at.need)}. What it did so far is kept.${showReset(at.budget, clock.now())}`,
      " If you say nothing, it waits.\n",
      code(task.id),
    ],
    line: `the owner was asked whether it may spend more: ${showCap(at)}`,
    options: optionsFor(at),
    otherwise: null,
    expiresAt: null,
  });
}

const headOf = ({ id, epoch }: Task, { time }: OverBudgetAt) => `budget:${id}:${epoch}:${time}`;

/** Whether a question of this key asks about this standstill, for the first time or anew. */
function isAbout(key: string, task: Task, at: OverBudgetAt): boolean {
  const head = headOf(task, at);
  return key.startsWith(head) && /^(\.q\d+)?:/.test(key.slice(head.length)) && key.endsWith(`:${at.budget.id}`);
}

/** The key under which this standstill is to be asked about; null: it is, and waits for an answer. */
async function lastAsked({ store }: Deps, task: Task, at: OverBudgetAt) {
  let anew = "";
  for (let i = 0; i < mostAnew; i += 1) {
    const key = `${headOf(task, at)}${anew}:${at.budget.id}`;
    const question = await store.questions.byKey(key);
    if (!question) return { key };
    if (!question.answer) return { key: null };
    if (question.answer.via !== "event") return { answered: true };
    anew = `.${question.id}`;
  }
  return { key: null };
}

/** There is room again, without the owner: a new day, or a budget that was changed. */
async function goOn(deps: Deps, task: Task): Promise<void> {
  const { store, clock } = deps;
  const text = "there is room in its budget again; it goes on";
  const entry = { kind: "resumed", text, code: "running", from: task.state };
  if (!(await store.tasks.move(task.id, task.epoch, "resume", entry, clock.now()))) return;
  await store.letters.add([cardEdit(deps, { ...task, state: "running", reason: text }, [])], clock.now());
  for (const question of await store.questions.open({ task: task.id, limit: mostAnew })) {
    if (question.kind === "budget") await closeQuestion(deps, question, text);
  }
}

/** An option says the whole amount: the answer means the same whenever it is carried out. */
export function optionsFor({ budget, spent, need }: OverBudgetAt): Option[] {
  const { unit, amount } = budget;
  // Less than the next call may take would only ask again.
  const least = spent + 2 * need;
  const step = steps[unit].findLast((one) => one <= amount) ?? amount;
  const amounts = new Set([Math.max(amount + step, least), Math.max(2 * amount, least)]);
  return [
    ...[...amounts].toSorted((a, b) => a - b).map((to) => ({ key: `${raise}${to}`, label: `Raise it to ${showAmount(unit, to)}` })),
    { key: "finish", label: "Finish with what is there" },
    { key: "stop", label: "Stop the task" },
  ];
}

/** Carries the owner's decision out: one control, however often it is called. */
export async function decideBudget(deps: Headquarters, question: Question): Promise<string> {
  const { store, clock } = deps;
  const { epoch, answer } = question;
  const task = question.task === null ? null : await store.tasks.get(question.task);
  if (!task || !answer?.option) return gone;
  if (!(await store.questions.current(question.id)) || task.epoch !== epoch) return movedOn;
  const { option, by, at } = answer;
  if (option === "stop") {
    const outcome = await cancelTask(deps, task.id, `stopped at its budget by ${by}`);
    return outcome === "requested" ? "Its factory was told to stop." : "It is over.";
  }
  const about = { id: `ctl_${question.id}`, task: task.id, epoch };
  if (!option.startsWith(raise)) {
    const text = `ends with what is there, as ${by} decided`;
    const went = await tell(deps, task, { ...about, do: "finish", reason: text }, text);
    return went ? "It makes no more calls; what is there is committed and tested." : movedOn;
  }
  const amount = Number(option.slice(raise.length));
  const budget = question.key.split(":").slice(4).join(":");
  // A task's own, and a factory's own by its settings, are no rows here: the control alone raises them, for this attempt.
  await store.budgets.raise(budget, { amount, at });
  const label = question.options.find(({ key }) => key === option)?.label ?? option;
  const went = await tell(deps, task, { ...about, do: "raise", budget, amount, at }, `${label}, says ${by}`);
  const now = went ? null : await store.tasks.get(task.id);
  if (now && isTerminal(now.state)) return `It is ${now.state} already.`;
  await store.letters.add([cardEdit(deps, { ...task, state: "running", reason: "goes on" }, [])], clock.now());
  return "It goes on.";
}

async function tell(deps: Headquarters, task: Task, control: NewTaskControl, text: string): Promise<boolean> {
  const { store, clock } = deps;
  const told = await store.controls.direct(task, control, { kind: control.do, text }, clock.now());
  if (!told || task.factory === null) return false;
  await publishControl(deps, task.factory, told);
  return true;
}
