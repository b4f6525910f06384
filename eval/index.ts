/** `npm run eval`: a folder of tasks through the real coder. The format, and what the figures are worth: docs/eval.md. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { defaultCapabilities } from "#core/capability.ts";
import { hasCode, publicMessage, UacError } from "#core/errors.ts";
import { openSandbox, usualSandbox } from "../branch-agent/compose-bench.ts";
import { isAsItShould, showLine, showTable, totalsOf } from "./report.ts";
import { type EvalOptions, type Result, runTask, type Solver } from "./run.ts";
import { type EvalTask, loadTasks } from "./task.ts";

const shipped = join(import.meta.dirname, "tasks");
const usage = `npm run eval -- [FOLDER] [--json] [--model scripted|env] [--empty] [--only NAME]… [--jobs N]
  FOLDER       a task, or a folder of tasks; otherwise the set that is shipped
  --model      scripted (otherwise): the known solution is played, and nothing is done: a test of the harness, not of coding;
               env: the model that the environment names
  --empty      only with nothing done: all must fail
  --only NAME  this task; may be given several times
  --jobs N     so many at a time, 1 to 16 (otherwise 2)
  --json       one JSON object on standard output
`;

const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  let args: ReturnType<typeof readArgs>;
  try {
    args = readArgs();
  } catch (error) {
    say(usage);
    throw new UacError("bad_input", error instanceof Error ? error.message : String(error));
  }
  if (args.help) {
    process.stdout.write(usage);
    return 0;
  }
  const tasks = chosen(await loadTasks(args.folder), args.only);
  const sandbox = await openSandbox({
    ...{ sandbox: usualSandbox, capabilities: defaultCapabilities("branch") },
    ...{ slots: 1, taskMemory: null, taskDisk: null },
  });
  const scratch = await mkdtemp(join(tmpdir(), "uac-eval-"));
  const stop = new AbortController();
  const onSignal = () => stop.abort("the evaluation was stopped");
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, onSignal);
  try {
    const options: EvalOptions = { env: process.env, scratch, sandbox, signal: stop.signal };
    const rounds: { solver: Solver; results: Result[] }[] = [];
    for (const solver of args.solvers) {
      const results = await inParallel(tasks, args.jobs, stop.signal, async (task) => {
        const result = await runTask(task, solver, options);
        say(showLine(result));
        return result;
      });
      rounds.push({ solver, results });
      say(`\n${showTable(solver, results)}\n`);
    }
    if (stop.signal.aborted) throw new UacError("interrupted", "The evaluation was stopped.");
    const ok = rounds.every(({ solver, results }) => isAsItShould(solver, totalsOf(results)));
    if (args.json)
      process.stdout.write(`${JSON.stringify({ ok, rounds: rounds.map((round) => ({ ...round, totals: totalsOf(round.results) })) })}\n`);
    say(ok ? "as it should be" : "NOT as it should be");
    return ok ? 0 : 1;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function chosen(tasks: readonly EvalTask[], only: readonly string[]): readonly EvalTask[] {
  const unknown = only.find((name) => !tasks.some((task) => task.name === name));
  if (unknown) throw new UacError("bad_input", `There is no task ${unknown}; there are: ${tasks.map(({ name }) => name).join(", ")}.`);
  return only.length === 0 ? tasks : tasks.filter(({ name }) => only.includes(name));
}

/** So many at a time, in order; none is begun any more once one has failed, or it was stopped. */
async function inParallel<T, R>(items: readonly T[], jobs: number, signal: AbortSignal, run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = [...items.entries()];
  let broken = false;
  async function worker() {
    for (let next = waiting.shift(); next && !broken && !signal.aborted; next = waiting.shift()) {
      const [at, item] = next;
      try {
        results[at] = await run(item);
      } catch (error) {
        broken = true;
        throw error;
      }
    }
  }
  // All are waited for, so that nothing still works in a folder that is about to go.
  const ends = await Promise.allSettled(Array.from({ length: jobs }, worker));
  const failure = ends.find((end) => end.status === "rejected");
  if (failure) throw failure.reason;
  return results.filter((result) => result !== undefined);
}

function readArgs() {
  const options = {
    json: { type: "boolean" },
    model: { type: "string" },
    empty: { type: "boolean" },
    only: { type: "string", multiple: true },
    jobs: { type: "string" },
    help: { type: "boolean" },
  } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const { model = "scripted", empty = false, jobs: wanted = "2", only = [], json = false, help = false } = values;
  if (positionals.length > 1) throw new Error("one FOLDER at a time");
  if (model !== "scripted" && model !== "env") throw new Error(`--model is scripted or env, not ${model}`);
  if (model === "env" && empty) throw new Error("--empty asks no model: leave --model out");
  const jobs = Number(wanted);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 16) throw new Error("--jobs is a number from 1 to 16");
  const solvers: readonly Solver[] = empty ? ["nothing"] : model === "env" ? ["model"] : ["nothing", "oracle"];
  // npm runs its scripts in the checkout; a path is meant from where the command was typed.
  const folder = positionals[0] ? resolve(process.env.INIT_CWD ?? process.cwd(), positionals[0]) : shipped;
  return { folder, only, json, help, jobs, solvers };
}

process.exitCode = await main().catch((error: unknown) => {
  const known = error instanceof UacError;
  say(known ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error));
  const failure = { code: known ? error.code : "internal", message: publicMessage(error) };
  if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify({ ok: false, error: failure })}\n`);
  if (hasCode(error, "interrupted")) return 130;
  return hasCode(error, "bad_input") || hasCode(error, "bad_config") ? 2 : 1;
});
