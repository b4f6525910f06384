/** Slash commands: answered by rule, without a model. */
import { factoryIdPattern } from "#core/fleet.ts";
import { followDos } from "#core/follow-up.ts";
import { type Piece, pre } from "#core/rich-text.ts";
import type { Role } from "#core/role.ts";
import { answerQuestion } from "#factory/answer-owner.ts";
import { cancelTask } from "#factory/cancel.ts";
import { say } from "#factory/converse.ts";
import { drainFactory, undrainFactory } from "#factory/drain-factory.ts";
import { joinCodeMs, makeJoinCode } from "#factory/enrol.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import { replay, replayAnswer } from "#factory/replay.ts";
import { retireFactory } from "#factory/retire.ts";
import type { Inbound } from "#ports/chat.ts";
import type { Update } from "#ports/store.ts";
import type { Digest } from "./context.ts";
import { budgetReport, changeBudget } from "./tools/budget.ts";
import { costReport } from "./tools/cost.ts";
import { deadReport } from "./tools/dead.ts";
import { fleetReport } from "./tools/fleet.ts";
import { followAbout, followUpReport } from "./tools/follow-up.ts";
import { pauseReport, resumeReport } from "./tools/pause.ts";
import { questionsReport } from "./tools/questions.ts";
import { steerReport } from "./tools/steer.ts";
import { noSuchTask, storyOf } from "./tools/story.ts";
import { taskReport } from "./tools/task.ts";
import { sendViewLink } from "./tools/view.ts";

type Text = Extract<Inbound, { kind: "text" }>;
interface Call {
  hq: Headquarters;
  digest: Digest;
  update: Update;
  inbound: Text;
  rest: string;
}

interface Command {
  about: string;
  /** Resolves to the answer. */
  run(call: Call): Promise<string | Piece[]>;
}

/** What is quoted of an owner's slip. */
const quotedChars = 64;
/** Of a factory: as the wire bounds it. */
const longestName = 64;

const help = async () => `Tell me what to do, or use:\n${names.map((name) => `/${name} – ${commands[name]?.about}`).join("\n")}`;

export const commands: Readonly<Record<string, Command>> = {
  status: { about: "the fleet and what runs", run: async ({ hq }) => `${await fleetReport(hq)}\n\n${await taskReport(hq)}` },
  fleet: { about: "the factories", run: ({ hq }) => fleetReport(hq) },
  tasks: { about: "the last tasks", run: ({ hq }) => taskReport(hq) },
  task: { about: "one task's story: /task <id>", run: ({ hq, rest }) => storyOf(hq, rest) },
  cancel: { about: "stop a task: /cancel <id>", run: cancel },
  replay: { about: "do a task again that ended badly: /replay <id>", run: replayTask },
  ...Object.fromEntries(
    followDos.map((deed): [string, Command] => [
      deed,
      {
        about: followAbout[deed],
        run: ofTask(deed, ({ hq, update, rest }) => followUpReport(hq, { do: deed, task: rest, key: `u${update.id}` })),
      },
    ]),
  ),
  dead: { about: "tasks that were given up, and why", run: ({ hq }) => deadReport(hq) },
  questions: { about: "what I ask you", run: ({ hq, update }) => questionsReport(hq, update.chat) },
  answer: { about: "answer a question: /answer <id> <option>", run: answer },
  pause: { about: "let a task stand still: /pause <id>", run: ofTask("pause", ({ hq, rest }) => pauseReport(hq, rest)) },
  resume: { about: "let it go on: /resume <id>", run: ofTask("resume", ({ hq, rest }) => resumeReport(hq, rest)) },
  steer: { about: "tell whoever works on a task something: /steer <id> <what>, or reply to its card", run: steer },
  cost: { about: "what was spent", run: ({ hq }) => costReport(hq) },
  budget: {
    about: "what may be spent: /budget, or /budget factory desk-1 day $5, /budget vp coder 5h 2M tokens, /budget corporation month off",
    run: ({ hq, rest }) => (rest === "" ? budgetReport(hq) : changeBudget(hq, rest)),
  },
  view: { about: "a link to the Corporation View", run: ({ hq, digest, update }) => sendViewLink(hq, digest, update) },
  enrol: { about: "a code for a new machine: /enrol <id> [name]", run: enrolAs("branch") },
  enrol_hq: { about: "a code for a machine that gives headquarters' own VPs hands: /enrol_hq <id> [name]", run: enrolAs("headquarters") },
  drain: { about: "let a machine begin nothing new: /drain <id>", run: ofMachine("drain", drainFactory) },
  undrain: { about: "let it begin work again: /undrain <id>", run: ofMachine("undrain", undrainFactory) },
  retire: { about: "put a machine out of the corporation: /retire <id>", run: ofMachine("retire", retireFactory) },
  help: { about: "this list", run: help },
  start: { about: "this list", run: help },
};
const names = Object.keys(commands);

/** Answers a message that begins with a slash. */
export async function runCommand(hq: Headquarters, digest: Digest, update: Update, inbound: Text): Promise<void> {
  const [, typed = "", rest = ""] = /^\/(\w+)(?:@\w+)?\s*(.*)$/s.exec(inbound.text) ?? [];
  const name = typed.toLowerCase();
  const unknown = async () => `${typed === "" ? "That is no command" : `There is no /${typed.slice(0, quotedChars)}`}. ${await help()}`;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  // What others wrote is data: a forwarded command does nothing.
  const text = inbound.forwarded
    ? "A forwarded command is not carried out. Type it yourself if you mean it."
    : await (command ?? { run: unknown }).run({ hq, digest, update, inbound, rest: rest.trim() });
  await say(hq, { key: `reply:${update.id}`, chat: inbound.chat, message: inbound.message, text });
}

async function cancel({ hq, rest }: Call): Promise<string> {
  if (rest === "") return "Which task? /cancel <id>; /tasks lists them.";
  const outcome = await cancelTask(hq, rest, "cancelled by the owner");
  return {
    unknown: noSuchTask(rest),
    over: `${rest} is over already.`,
    cancelled: `${rest} is cancelled.`,
    requested: `I told the factory to stop ${rest}; its card says when it has.`,
  }[outcome];
}

async function replayTask({ hq, update, inbound, rest }: Call): Promise<string> {
  if (rest === "") return "Which task? /replay <id>; /dead and /tasks list them.";
  return replayAnswer(rest, await replay(hq, { id: rest, update, message: inbound.message, name: inbound.name }));
}

async function answer({ hq, update, rest }: Call): Promise<string> {
  const [id = "", option = "", ...more] = rest.toLowerCase().split(/\s+/);
  if (option === "" || more.length > 0) return `How? /answer <id> <option>\n${await questionsReport(hq, update.chat)}`;
  return (await answerQuestion(hq, { id, option, by: update.inbound.name, via: "telegram" })).text;
}

async function steer({ hq, update, rest }: Call): Promise<string> {
  const [, id = "", text = ""] = /^(\S+)\s+(.+)$/s.exec(rest) ?? [];
  return text === "" ? "Which task, and what? /steer <id> <what>; /tasks lists them." : steerReport(hq, { id, text, key: `u${update.id}` });
}

/** A command about one task, which must be named. */
function ofTask(name: string, run: (call: Call) => Promise<string>): Command["run"] {
  return async (call) => (call.rest === "" ? `Which task? /${name} <id>; /tasks lists them.` : run(call));
}

/** The same of one machine. */
function ofMachine(name: string, run: (hq: Headquarters, id: string) => Promise<string>): Command["run"] {
  return async ({ hq, rest }) => (rest === "" ? `Which machine? /${name} <id>; /fleet lists them.` : run(hq, rest));
}

/** `/enrol` for a branch; for `headquarters`, a factory in which HQ's own VPs work. */
function enrolAs(role: Role): Command["run"] {
  return ({ hq, digest, rest }) => enrol(hq, digest, role, rest);
}

async function enrol(hq: Headquarters, digest: Digest, role: Role, rest: string): Promise<string | Piece[]> {
  const [id = "", ...words] = rest.split(/\s+/);
  const name = words.join(" ");
  if (!factoryIdPattern.test(id)) return "How shall it be called? Name an id of lower-case letters, digits and hyphens: /enrol <id> [name]";
  if (name.length > longestName) return `That name is too long: at most ${longestName} characters.`;
  const code = await makeJoinCode(hq, digest, { id, name: name || id, role });
  const asked = role === "branch" ? "" : `FACTORY_ROLE=${role} `;
  const named = name === "" ? "" : ` FACTORY_NAME=${quoted(name)}`;
  return [
    `Run this on that machine, in a clone of this corporation's repository, within ${joinCodeMs / 60_000} minutes; the code works once:\n`,
    pre(`${asked}FACTORY_ID=${id}${named} HQ_URL=${hq.settings.publicUrl} npx tsx branch-agent enrol ${code}`),
    "\nThen compare the fingerprint and approve it here.",
  ];
}

/** A word for a POSIX shell: nothing in it is expanded. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
