/**
 * `npm run owner -- …`: the owner at headquarters' own command line. It runs the same verbs as the chat and the dashboard, with
 * headquarters' own environment: whoever has that is the owner. A factory has no such command, so that no machine answers for itself.
 */
import { userInfo } from "node:os";
import { Command, CommanderError } from "commander";
import { hasCode, publicMessage } from "#core/errors.ts";
import { isTerminal, taskStates } from "#core/task.ts";
import { answerQuestion } from "#factory/answer-owner.ts";
import { cancelTask } from "#factory/cancel.ts";
import { deliverLetters } from "#factory/deliver.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import { openNodeHeadquarters } from "../hq-worker/compose-node.ts";
import { environmentOfBox } from "./box-environment.ts";

/** As those of `npx tsx branch-agent`. */
const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const;
const listed = 50;
/** What is to be said later than that, or after so many rounds, headquarters says. */
const soonMs = 1500;
const deliveries = 4;

/** What is said: lines for a person, or one JSON object; and whether it is what was asked for. */
interface Said {
  text: string;
  json: object;
  ok: boolean;
}

async function questions(hq: Headquarters): Promise<Said> {
  const open = await hq.store.questions.open({ limit: listed });
  const lines = open.map(({ id, content, options, task }) => {
    const [asked] = content.text.split("\n");
    return [`${id}  ${asked}${task ? `  (${task})` : ""}`, ...options.map(({ key, label }) => `    answer ${id} ${key}  ${label}`)].join(
      "\n",
    );
  });
  const told = open.map(({ id, kind, task, content, options, otherwise, expiresAt, createdAt }) => {
    return { id, kind, task, text: content.text, options, otherwise, expiresAt, createdAt };
  });
  return { text: lines.join("\n") || "Nothing waits for an answer.", json: { questions: told }, ok: true };
}

async function answer(hq: Headquarters, id: string, option: string): Promise<Said> {
  const done = await answerQuestion(hq, { id, option, by: userInfo().username, via: "command" });
  return { text: done.text, json: done, ok: done.outcome === "answered" };
}

async function tasks(hq: Headquarters): Promise<Said> {
  const open = await hq.store.tasks.list({ states: taskStates.filter((state) => !isTerminal(state)), oldestFirst: true, limit: listed });
  const lines = open.map(
    ({ id, state, factory, title, reason }) => `${id}  ${state}${factory ? ` at ${factory}` : ""}  ${title}: ${reason}`,
  );
  const told = open.map(({ id, state, epoch, factory, title, reason, deadline }) => ({
    id,
    state,
    epoch,
    factory,
    title,
    reason,
    deadline,
  }));
  return { text: lines.join("\n") || "No task is open.", json: { tasks: told }, ok: true };
}

async function cancel(hq: Headquarters, task: string): Promise<Said> {
  const outcome = await cancelTask(hq, task, `cancelled by ${userInfo().username} from the command line`);
  const text = {
    unknown: `There is no task ${task}.`,
    over: `${task} is over already.`,
    cancelled: `${task} is cancelled.`,
    requested: `The factory was told to stop ${task}.`,
  }[outcome];
  return { text, json: { outcome }, ok: outcome === "cancelled" || outcome === "requested" };
}

/** What an answer or a cancellation leads to, at once. Headquarters itself does what is left within a minute. */
async function follow(hq: Headquarters): Promise<void> {
  try {
    await dispatchAll(hq);
    // A chat takes one edit a second.
    for (let round = 0; round < deliveries; round += 1) {
      await deliverLetters(hq);
      const due = await hq.store.letters.nextDue();
      if (due === null || due > hq.clock.now() + soonMs) return;
      await hq.clock.sleep(Math.max(0, due - hq.clock.now()));
    }
  } catch (error) {
    process.stderr.write(`Left to headquarters: ${publicMessage(error)}\n`);
  }
}

async function main(args: readonly string[]): Promise<number> {
  let code: number = exitCodes.ok;
  const program = new Command("npm run owner --")
    .description("Asks and answers at headquarters, with headquarters' own environment (DATABASE_URL, …).")
    .option("--box", "the box that `npm start` runs, instead of the environment's headquarters")
    .option("--dir <folder>", "that box's folder, if it is not the usual one")
    .option("--json", "one JSON object on standard output")
    .exitOverride()
    .configureOutput({ writeOut: (text) => process.stdout.write(text), writeErr: (text) => process.stderr.write(text) });

  const run = async (work: (hq: Headquarters) => Promise<Said>) => {
    const { box, dir, json } = program.opts<{ box?: boolean; dir?: string; json?: boolean }>();
    const { hq, close } = await openNodeHeadquarters(box ? await environmentOfBox(process.env, dir ?? null) : process.env);
    try {
      const said = await work(hq);
      process.stdout.write(json ? `${JSON.stringify(said.json)}\n` : `${said.text}\n`);
      code = said.ok ? exitCodes.ok : exitCodes.failed;
      if (said.ok) await follow(hq);
    } finally {
      await close();
    }
  };
  program
    .command("questions")
    .description("what waits for an answer")
    .action(() => run(questions));
  program
    .command("answer <id> <option>")
    .description("answer a question")
    .action((id: string, option: string) => run((hq) => answer(hq, id, option)));
  program
    .command("tasks")
    .description("the tasks that are not over")
    .action(() => run(tasks));
  program
    .command("cancel <task>")
    .description("stop a task")
    .action((task: string) => run((hq) => cancel(hq, task)));

  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    process.stderr.write(`${publicMessage(error)}\n`);
    if (hasCode(error, "bad_config") || hasCode(error, "bad_input")) return exitCodes.usage;
    return hasCode(error, "store_unavailable") || hasCode(error, "hq_unreachable") ? exitCodes.unreachable : exitCodes.failed;
  }
}

process.exitCode = await main(process.argv.slice(2));
