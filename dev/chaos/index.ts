/** `npm run chaos`: hurts a town of real processes in every way of the list while it works, and judges what is left. */
import { parseArgs } from "node:util";
import { type HqKind, hqKinds } from "../box/hq.ts";
import { deckOf } from "./plan.ts";
import { type RunReport, runChaos } from "./run.ts";
import { type Sabotage, sabotages } from "./sabotage.ts";

const usage = `npm run chaos -- --tasks N --seed S [--hq node|workerd|both] [--sabotage fence|journal|outbox] [--seconds N] [--json]
  --tasks N      jobs that the owner asks for (48)
  --seed S       decides the faults and their order (a new one)
  --hq KIND      what headquarters runs on; both: half of the jobs and of the faults each (both)
  --sabotage G   takes one guard out: the run must fail
  --seconds N    longest time for each town's work (60, and 6 for each job)
  --json         one object on standard output
`;

interface Options {
  tasks: number;
  seed: number;
  hq: readonly HqKind[];
  sabotage: Sabotage | null;
  seconds: number | null;
  json: boolean;
}

async function main(): Promise<number> {
  const options = read();
  if (typeof options === "string") {
    process.stderr.write(`${options}${usage}`);
    return options === "" ? 0 : 2;
  }
  const { seed, sabotage, hq, json } = options;
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const tasks = Math.ceil(options.tasks / hq.length);
  const deck = deckOf({ tasks: options.tasks, seed, sabotage });
  const reports: RunReport[] = [];
  for (const [i, kind] of hq.entries()) {
    // Each gets every other fault of the deck; a guard that is missing must be noticed by each alone.
    const its = sabotage ? deck : deck.filter((_, at) => at % hq.length === i);
    say(`chaos: ${tasks} tasks, seed ${seed}, headquarters in ${kind}${sabotage ? `, without its ${sabotage}` : ""}`);
    const report = await runChaos({ tasks, seed, hq: kind, sabotage, deck: its, seconds: options.seconds ?? 60 + tasks * 6, say });
    tell(report, say);
    reports.push(report);
  }
  const ok = reports.every(({ invariants }) => invariants.every((one) => one.ok));
  if (!ok) say(`chaos: FAILED. Again: npm run chaos -- --tasks ${options.tasks} --seed ${seed} --hq ${hq.length === 1 ? hq[0] : "both"}`);
  else say("chaos: everything held");
  if (json) process.stdout.write(`${JSON.stringify(asJson(ok, seed, sabotage, reports))}\n`);
  return ok ? 0 : 1;
}

/** What is wrong with the arguments, a line; "" where only the usage was asked for. */
function read(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        tasks: { type: "string", default: "48" },
        seed: { type: "string" },
        hq: { type: "string", default: "both" },
        sabotage: { type: "string" },
        seconds: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) return "";
    const whole = (text: string | undefined) => (text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null);
    const tasks = whole(values.tasks);
    const seed = values.seed === undefined ? Date.now() % 1_000_000 : whole(values.seed);
    const seconds = whole(values.seconds);
    const sabotage = sabotages.find((one) => one === values.sabotage) ?? null;
    const hq = values.hq === "both" ? hqKinds : hqKinds.filter((kind) => kind === values.hq);
    if (!tasks || seed === null || hq.length === 0) return "--tasks and --seed are whole numbers; --hq is node, workerd or both.\n";
    if (values.sabotage !== undefined && !sabotage) return `--sabotage is one of ${sabotages.join(", ")}.\n`;
    if (values.seconds !== undefined && !seconds) return "--seconds is a whole number.\n";
    return { tasks, seed, hq, sabotage, seconds, json: values.json };
  } catch (error) {
    return `${error instanceof Error ? error.message : error}\n`;
  }
}

function tell({ tasks, seconds, invariants, logs }: RunReport, say: (line: string) => void) {
  say(`${tasks} tasks in ${seconds} s`);
  for (const { name, ok, checked, broken, counts } of invariants) {
    const figures = Object.entries(counts ?? {}).map(([what, count]) => `${what} ${count}`);
    say(`${ok ? "ok    " : "BROKEN"} ${name} (${[`${checked} checked`, ...figures].join(", ")})`);
    for (const line of broken.slice(0, 20)) say(`         ${line}`);
    if (broken.length > 20) say(`         … and ${broken.length - 20} more`);
  }
  if (logs) say(`the town's files: ${logs}`);
}

function asJson(ok: boolean, seed: number, sabotage: Sabotage | null, reports: readonly RunReport[]) {
  const landed = reports.flatMap((report) => report.landed);
  const countBy = (names: readonly string[]) =>
    Object.fromEntries([...new Set(names)].toSorted().map((name) => [name, names.filter((one) => one === name).length]));
  return {
    ok,
    seed,
    sabotage,
    tasks: reports.reduce((sum, { tasks }) => sum + tasks, 0),
    seconds: reports.reduce((sum, { seconds }) => sum + seconds, 0),
    faults: countBy(landed.map(({ kind }) => kind)),
    killPoints: countBy(landed.flatMap(({ kind, point }) => (kind === "kill_at" && point ? [point] : []))),
    runs: reports.map(({ hq, tasks, seconds, invariants }) => ({ hq, tasks, seconds, invariants })),
  };
}

// By way of an exit, so that nothing of the town stays behind.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  return 1;
});
