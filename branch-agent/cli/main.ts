/** The command line. Data on stdout, the rest on stderr; the exit code says what kind of end it was. */
import { Command, CommanderError } from "commander";
import { hasCode, publicMessage } from "#core/errors.ts";
import { version } from "../version.ts";
import { enrol } from "./enrol.ts";
import { start } from "./start.ts";
import { status } from "./status.ts";

export const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3, notEnrolled: 4, interrupted: 130 } as const;

/** Runs one command; resolves to the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = exitCodes.ok;
  const run = (command: () => Promise<number>) => async () => {
    code = await command();
  };
  const program = new Command("branch-agent")
    .description("A factory of the corporation on this machine.")
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => process.stdout.write(text), writeErr: (text) => process.stderr.write(text) });

  program
    .command("start", { isDefault: true })
    .description("work in the foreground; SIGTERM or Ctrl-C drains, a second one stops")
    .action(run(() => start(process.env)));
  program
    .command("enrol [code]")
    .description("join headquarters with a one-time code (or on standard input, or --code-file)")
    .option("--code-file <path>", "read the code from a file")
    .action((code: string | undefined, options: { codeFile?: string }) => run(() => enrol(process.env, code, options.codeFile))());
  program
    .command("status")
    .description("is headquarters reachable, and what runs here")
    .option("--json", "one JSON object on standard output")
    .action((options: { json?: boolean }) => run(() => status(process.env, options.json ?? false))());

  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    process.stderr.write(`${publicMessage(error)}\n`);
    if (process.env.LOG_LEVEL === "debug" && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    if (hasCode(error, "bad_config") || hasCode(error, "bad_input")) return exitCodes.usage;
    if (hasCode(error, "hq_unreachable")) return exitCodes.unreachable;
    if (hasCode(error, "unauthenticated") || hasCode(error, "forbidden")) return exitCodes.notEnrolled;
    return exitCodes.failed;
  }
}
