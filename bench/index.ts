/** `npm run bench`: what the product costs, beside what it could cost. See docs/bench.md. */
import { parseArgs } from "node:util";
import type { Options, Report } from "./figure.ts";

/** Loaded when asked for: one suite's libraries are no load on another's figures. */
const suites: Readonly<Record<string, (options: Options) => Promise<Report>>> = {
  bus: async (options) => (await import("./bus/suite.ts")).benchBus(options),
  coder: async (options) => (await import("./coder/suite.ts")).benchCoder(options),
  gateway: async (options) => (await import("./gateway/suite.ts")).benchGateway(options),
  costs: async (options) => (await import("./costs/suite.ts")).benchCosts(options),
  idle: async (options) => (await import("./idle/suite.ts")).benchIdle(options),
};

const usage = `npm run bench -- bus|coder|costs|gateway|idle [--json] [--quick] [--seconds N]
  bus          a job from sender to receiver: bare Redis, our port, the whole path, BullMQ
  coder        Lisa at a script of 20 steps, sandbox on: a bare loop of fetch and spawn, ours
  costs        the costs page over a ledger of a million calls
  gateway      what the meter adds to a call of a model: direct, a bare proxy, our gateway
  idle         what a corporation uses that has nothing to do, an hour and a month
  --json       one JSON object on standard output
  --quick      shows that it works; its figures are worth little
  --seconds N  measure for about so long (bus 54, coder 30, costs 60, gateway 30, idle 180)
`;

const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  let read: ReturnType<typeof readArgs>;
  try {
    read = readArgs();
  } catch (error) {
    say(`${error instanceof Error ? error.message : error}\n${usage}`);
    return 2;
  }
  const { values, suite } = read;
  const run = suites[suite];
  const seconds = values.seconds === undefined ? null : Number(values.seconds);
  if (values.help || !run || (seconds !== null && !(seconds >= 1 && seconds <= 7200))) {
    process.stderr.write(usage);
    return values.help ? 0 : 2;
  }
  const { figures, table, broken } = await run({ quick: values.quick ?? false, seconds, say });
  if (values.json) process.stdout.write(`${JSON.stringify({ suite, figures })}\n`);
  say(table);
  if (broken) say(`\nDOES NOT HOLD: ${broken}`);
  return broken ? 1 : 0;
}

function readArgs() {
  const options = {
    json: { type: "boolean" },
    quick: { type: "boolean" },
    seconds: { type: "string" },
    help: { type: "boolean" },
  } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  return { values, suite: positionals.length === 1 ? (positionals[0] ?? "") : "" };
}

process.exitCode = await main().catch((error: unknown) => {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return 1;
});
