/**
 * `npm run ledger -- …`: the ledger by itself. `replay` prices a recording of usages; `verify` compares a factory's journal with
 * headquarters' ledger and the receipts; `export` writes that ledger under OpenTelemetry's names; `rebuild` makes the sums of
 * days again. Of headquarters' tables it writes those sums alone, and the ledger never.
 */
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createClient } from "@libsql/client";
import { Command, CommanderError } from "commander";
import { presets } from "#adapters/llm/presets.ts";
import { pricedProviders, pricesOf } from "#adapters/prices/index.ts";
import { parsePriceList } from "#adapters/prices/list.ts";
import { database } from "#adapters/store/sql.ts";
import { hasCode, publicMessage, UacError } from "#core/errors.ts";
import { keptMs } from "../branch-agent/journal/forget.ts";
import { homeOf } from "../branch-agent/state.ts";
import { environmentOfBox } from "./box-environment.ts";
import { exported } from "./ledger/export.ts";
import { readJournal } from "./ledger/journal.ts";
import { linesOf } from "./ledger/lines.ts";
import { rebuildDaily } from "./ledger/rebuild-daily.ts";
import { replay, replayJson, replayText } from "./ledger/replay.ts";
import { attemptOf, compareJournal, compareReceipts, type Verified, verifiedText } from "./ledger/verify.ts";

/** `incomplete`: lines that can't be read, or a difference. */
const exitCodes = { ok: 0, incomplete: 1, usage: 2 } as const;
const known = [...new Set([...pricedProviders, ...Object.keys(presets)])];
const { env } = process;

async function replayFile(file: string, options: { json?: boolean; provider?: string; prices?: string }): Promise<number> {
  const own = options.prices ?? env.PRICES_FILE;
  const json = own === undefined ? (env.PRICES ?? null) : await readText(own);
  // A recording may be of providers that no factory here asks.
  const list = json === null ? null : parsePriceList(json, own ?? "PRICES", null);
  const names = [...new Set([...known, ...Object.keys(list?.models ?? {})])];
  if (options.provider !== undefined && !names.includes(options.provider)) {
    throw new UacError("bad_input", `There is no provider ${options.provider}; there are ${names.join(", ")}, and those of --prices.`);
  }
  const result = await replay(linesOf(textOf(file)), {
    priceOf: pricesOf(list),
    knows: (provider) => names.includes(provider),
    provider: options.provider ?? null,
    now: Date.now(),
  });
  await print(options.json ? JSON.stringify(replayJson(result)) : replayText(result));
  return result.problems.length === 0 ? exitCodes.ok : exitCodes.incomplete;
}

async function* textOf(file: string): AsyncGenerator<string> {
  const input = file === "-" ? process.stdin.setEncoding("utf8") : createReadStream(file, "utf8");
  try {
    for await (const chunk of input) yield String(chunk);
  } catch (cause) {
    unreadable(file, cause);
  }
}

function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause) => unreadable(path, cause));
}

function unreadable(path: string, cause: unknown): never {
  throw new UacError("bad_input", `${path} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}

/** The environment's headquarters, or the box's. Null where none is named. */
async function headquarters({ box, dir }: { box?: boolean; dir?: string }) {
  const { DATABASE_URL: url, DATABASE_AUTH_TOKEN: authToken } = box ? await environmentOfBox(env, dir ?? null) : env;
  try {
    return url ? createClient({ url, ...(authToken && { authToken }) }) : null;
  } catch (cause) {
    throw new UacError("bad_config", "DATABASE_URL is no address of a database: libsql://…, https://…, http://… or file:….", { cause });
  }
}

async function verify(options: { json?: boolean; home: string[]; box?: boolean; dir?: string }): Promise<number> {
  const homes = options.home.length > 0 ? options.home : [homeOf(env)];
  const hq = await headquarters(options);
  const [parts, unseen]: [Verified[], string[]] = [[], []];
  const waits = new Set<string>();
  if (!hq) unseen.push("headquarters: DATABASE_URL is not set");
  for (const home of homes) {
    try {
      const journal = await readJournal(home);
      for (const entry of journal.entries) if (journal.underWay.has(entry.id)) waits.add(attemptOf(entry));
      if (hq) parts.push(await compareJournal(journal, hq, Date.now() - keptMs));
      else unseen.push(`the journal of ${journal.factory}: there is nothing to compare its ${journal.entries.length} entries with`);
    } catch (error) {
      if (!hasCode(error, "not_found") && !hasCode(error, "store_unavailable")) throw error;
      unseen.push(publicMessage(error));
    }
  }
  if (hq) parts.push(await compareReceipts(hq, waits));
  hq?.close();
  const differs = parts.some(({ differences }) => differences.length > 0);
  await print(options.json ? JSON.stringify({ agree: parts.length > 0 && !differs, unseen, parts }) : verifiedText(parts, unseen));
  if (parts.length === 0) return exitCodes.usage;
  return differs ? exitCodes.incomplete : exitCodes.ok;
}

async function exportLedger(options: { since?: string; until?: string; task?: string; factory?: string; box?: boolean; dir?: string }) {
  const hq = await headquarters(options);
  if (!hq) throw new UacError("bad_config", "DATABASE_URL is not set: give headquarters' environment, or --box.");
  const { task, factory } = options;
  for await (const line of exported(hq, { since: timeOf("since", options.since), until: timeOf("until", options.until), task, factory })) {
    await print(line);
  }
  hq.close();
  return exitCodes.ok;
}

async function rebuild(options: { box?: boolean; dir?: string }): Promise<number> {
  const hq = await headquarters(options);
  if (!hq) throw new UacError("bad_config", "DATABASE_URL is not set: give headquarters' environment, or --box.");
  const days = await rebuildDaily(database(hq)).finally(() => hq.close());
  await print(`The sums of ${days} ${days === 1 ? "day" : "days"} were made again from the ledger.`);
  return exitCodes.ok;
}

function timeOf(name: string, text: string | undefined): number | undefined {
  const at = text === undefined ? 0 : Date.parse(text);
  if (Number.isNaN(at)) throw new UacError("bad_input", `--${name} is no time: ${text}. Write 2026-11-26 or 2026-11-26T07:00:00Z.`);
  return text === undefined ? undefined : at;
}

async function print(text: string): Promise<void> {
  if (!process.stdout.write(`${text}\n`)) await once(process.stdout, "drain");
}

async function main(args: readonly string[]): Promise<number> {
  let code: number = exitCodes.ok;
  const ends =
    <T extends unknown[]>(work: (...given: T) => Promise<number>) =>
    async (...given: T) => {
      code = await work(...given);
    };
  const program = new Command("npm run ledger --").description("What calls of models used and cost: docs/ledger.md.").exitOverride();
  program
    .command("replay <file>")
    .description("price a JSON-lines recording of usages (- is standard input)")
    .option("--json", "one JSON object on standard output")
    .option("--provider <name>", "of lines that say none")
    .option("--prices <file>", "prices that go before those that come with the program; else PRICES_FILE, PRICES")
    .action(ends(replayFile));
  const hq = (command: Command) =>
    command
      .option("--box", "the box that `npm start` runs, instead of the environment's headquarters")
      .option("--dir <folder>", "that box's folder, if it is not the usual one");
  hq(program.command("verify"))
    .description("compare factories' journals, headquarters' ledger and receipts")
    .option("--home <folder>", "a factory's folder, once for each; else UAC_HOME", (home, all: string[]) => [...all, home], [])
    .option("--json", "one JSON object on standard output")
    .action(ends(verify));
  hq(program.command("export"))
    .description("headquarters' ledger as JSON lines with OpenTelemetry's names")
    .option("--since <time>", "what headquarters learnt from then on")
    .option("--until <time>", "and before then")
    .option("--task <id>", "of one task")
    .option("--factory <id>", "of one factory")
    .action(ends(exportLedger));
  hq(program.command("rebuild")).description("make the sums of days again, from which the costs page is").action(ends(rebuild));
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    process.stderr.write(`${publicMessage(error)}\n`);
    return exitCodes.usage;
  }
}

process.exitCode = await main(process.argv.slice(2));
