/** A task whose factory stands still before a set-up that nobody approved: the owner is asked, once, and the answer goes there as a control. */
import type { Question } from "#core/question.ts";
import { bold, code } from "#core/rich-text.ts";
import { allowances, type SetupAsked, showSetup } from "#core/setup.ts";
import { isTerminal } from "#core/task.ts";
import type { Task } from "#ports/tasks.ts";
import { askOwner, closeQuestion } from "./ask-owner.ts";
import { cardEdit } from "./card.ts";
import { publishControl } from "./control.ts";
import type { Headquarters } from "./headquarters.ts";

type Deps = Pick<Headquarters, "store" | "clock" | "profile" | "settings" | "callsLeft">;

/** Nobody answered in so long: it goes on without, since meanwhile it keeps its factory's slot. */
const answerWithinMs = 2 * 3_600_000;
/** Questions about the same standstill that settled themselves by mistake, by a heartbeat that came late. More than ever come. */
const mostAnew = 5;
const mostOpen = 200;
/** Calls that one run takes, and those that are left for the rest of a heartbeat. */
const callsEach = 8;
const callsKept = 4;
const gone = "The task is not there any more.";
const movedOn = "It was decided otherwise, or it goes on, meanwhile: this changes nothing.";

const options = [
  { key: "once", label: "Run it" },
  { key: "always", label: "Always for this workspace" },
  { key: "never", label: "Go on without" },
];

/** Of a factory's runs: one that HQ knows, and what the factory says that it waits for. */
interface Told {
  task: Task;
  asked: SetupAsked | undefined;
}

/** With each heartbeat: what the factory says of its runs, against what is known of their tasks. What an event has no calls left for waits for the next. */
export async function heedSetups(deps: Deps, runs: readonly Told[]): Promise<void> {
  const concerned = runs.filter(({ task, asked }) => asked !== undefined || task.state === "awaiting_approval");
  if (concerned.length === 0) return;
  const open = (await deps.store.questions.open({ limit: mostOpen })).map(({ key }) => key);
  for (const { task, asked } of concerned) {
    // One that waits for its answer costs no call of its own.
    if (asked && task.state === "awaiting_approval" && open.some((key) => isAbout(key, task, asked))) continue;
    if (deps.callsLeft() < callsKept + callsEach) return;
    await (asked ? standStill(deps, task, asked) : goOn(deps, task));
  }
}

async function standStill(deps: Deps, task: Task, asked: SetupAsked): Promise<void> {
  const { store, clock } = deps;
  const key = await keyFor(deps, task, asked);
  // It is decided: the control is on its way.
  if (key === null) return;
  const reason = `waits for you to approve its set-up: ${asked.command}`;
  if (task.state === "running") {
    const entry = { kind: "approval", text: reason, code: "setup", from: task.state };
    if (!(await store.tasks.move(task.id, task.epoch, "ask", entry, clock.now()))) return;
    await store.letters.add([cardEdit(deps, { ...task, state: "awaiting_approval", reason }, [])], clock.now());
  } else if (task.state !== "awaiting_approval") return;
  await askOwner(deps, {
    key,
    kind: "setup",
    task: task.id,
    epoch: task.epoch,
    chat: task.chat,
    what: [
      bold(task.title),
      ` – may ${task.factory ?? "its factory"} set ${asked.workspace} up with `,
      code(asked.command),
      "?\nIt runs in the sandbox, on the task's own copy, and reaches ",
      asked.hosts.length === 0 ? "no host" : asked.hosts.join(", "),
      ". “Always” holds for exactly this, there; a changed command asks again. If you say nothing for two hours, it goes on without.\n",
      code(`${task.id} ${asked.digest.slice(0, 12)}`),
    ],
    line: `the owner was asked whether it may be set up with ${showSetup(asked)}`,
    options,
    otherwise: "never",
    expiresAt: clock.now() + answerWithinMs,
  });
}

const headOf = ({ id, epoch }: Task) => `setup:${id}:${epoch}`;

function isAbout(key: string, task: Task, { digest }: SetupAsked): boolean {
  const head = headOf(task);
  return key.startsWith(head) && /^(\.q\d+)?:/.test(key.slice(head.length)) && digestIn(key) === digest;
}

const digestIn = (key: string) => key.slice(key.lastIndexOf(":") + 1);

/** The key under which this is to be asked, or is; null: it was answered. */
async function keyFor({ store }: Deps, task: Task, { digest }: SetupAsked): Promise<string | null> {
  let anew = "";
  for (let i = 0; i < mostAnew; i += 1) {
    const key = `${headOf(task)}${anew}:${digest}`;
    const question = await store.questions.byKey(key);
    if (!question?.answer) return key;
    if (question.answer.via !== "event") return null;
    anew = `.${question.id}`;
  }
  return null;
}

/** Approved by an answer about another task. */
async function goOn(deps: Deps, task: Task): Promise<void> {
  const { store, clock } = deps;
  const text = "what it waited for is approved; it goes on";
  const entry = { kind: "resumed", text, code: "running", from: task.state };
  if (!(await store.tasks.move(task.id, task.epoch, "resume", entry, clock.now()))) return;
  await store.letters.add([cardEdit(deps, { ...task, state: "running", reason: text }, [])], clock.now());
  for (const question of await store.questions.open({ task: task.id, limit: mostAnew })) {
    if (question.kind === "setup") await closeQuestion(deps, question, text);
  }
}

/** Carries the owner's decision out: one control for the digest that was asked about, however often it is called. */
export async function decideSetup(deps: Headquarters, question: Question): Promise<string> {
  const { store, clock } = deps;
  const { epoch, answer } = question;
  const task = question.task === null ? null : await store.tasks.get(question.task);
  const allow = allowances.find((one) => one === answer?.option);
  if (!task || !answer || !allow) return gone;
  if (!(await store.questions.current(question.id)) || task.epoch !== epoch) return movedOn;
  const by = answer.by === "" ? "nobody answered in time" : answer.by;
  const control = { id: `ctl_${question.id}`, do: "approve", task: task.id, epoch, digest: digestIn(question.key), allow, by } as const;
  const text = allow === "never" ? `goes on without its set-up (${by})` : `its set-up runs, says ${by}`;
  const told = await store.controls.direct(task, control, { kind: "approve", text }, clock.now());
  if (told && task.factory !== null) await publishControl(deps, task.factory, told);
  const now = await store.tasks.get(task.id);
  if (now && isTerminal(now.state)) return `It is ${now.state} already.`;
  if (!told) return movedOn;
  await store.letters.add([cardEdit(deps, { ...task, state: "running", reason: "goes on" }, [])], clock.now());
  return allow === "never" ? "It goes on without." : "It is set up, and goes on.";
}
