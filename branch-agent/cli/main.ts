/**
 * The command line. Data on stdout, the rest on stderr; the exit code says what kind of end it was. A command's own modules are loaded
 * when it is called: one that needs no bus loads none.
 */
import { Command, CommanderError } from "commander";
import { hasCode, UacError } from "#core/errors.ts";
import { version } from "../version.ts";
import type { CodeArguments } from "./code.ts";

export const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3, notEnrolled: 4, interrupted: 130 } as const;

const internal = "Something went wrong inside; called with LOG_LEVEL=debug it says where.";

/** Runs one command; resolves to the exit code. With `--json` every end puts one object on standard output, an error as `{ ok: false, error }`. */
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
    .action(run(async () => (await import("./start.ts")).start(process.env)));
  program
    .command("enrol [code]")
    .description("join headquarters with a one-time code (or on standard input, or --code-file)")
    .option("--code-file <path>", "read the code from a file")
    .action((code: string | undefined, options: { codeFile?: string }) =>
      run(async () => (await import("./enrol.ts")).enrol(process.env, code, options.codeFile))(),
    );
  program
    .command("status")
    .description("is headquarters reachable, and what runs here")
    .option("--json", "one JSON object on standard output")
    .action((options: { json?: boolean }) => run(async () => (await import("./status.ts")).status(process.env, options.json ?? false))());
  program
    .command("code <instruction>")
    .description("do one task in a repository, here and now, without headquarters; `-` reads it from standard input")
    .option("--workspace <path>", "a directory of the repository; otherwise the current one")
    .option("--test <command>", "what tests it, over WORKSPACE_TESTS and what is detected")
    .option("--model <name>", "`provider`, `provider:model` or `model`, over the environment's")
    .option("--setup", "make the worktree ready first (npm ci, or what else `status` tells), in the sandbox")
    .option("--with-edits", "start with what is not committed yet, not from the last commit alone")
    .option("--json", "one JSON object on standard output: how it ended, and the receipt")
    .action((instruction: string, options: Omit<CodeArguments, "instruction">) =>
      run(async () => (await import("./code.ts")).code(process.env, calledFrom(), { ...options, instruction }))(),
    );

  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    const isUsage = error instanceof CommanderError;
    if (isUsage && error.exitCode === 0) return exitCodes.ok;
    const known = error instanceof UacError;
    const message = known ? error.message : isUsage ? error.message.replace(/^error: /, "") : internal;
    // Whoever reads JSON finds the reason there too, whatever was wrong with the call.
    const failure = { code: known ? error.code : isUsage ? "bad_input" : "internal", message };
    if (args.includes("--json")) process.stdout.write(`${JSON.stringify({ ok: false, error: failure })}\n`);
    if (isUsage) return exitCodes.usage;
    process.stderr.write(`${message}\n`);
    if (process.env.LOG_LEVEL === "debug" && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    if (hasCode(error, "bad_config") || hasCode(error, "bad_input")) return exitCodes.usage;
    if (hasCode(error, "hq_unreachable")) return exitCodes.unreachable;
    if (hasCode(error, "unauthenticated") || hasCode(error, "forbidden")) return exitCodes.notEnrolled;
    return exitCodes.failed;
  }
}

/** Where the command was typed: whatever started this program under another Node did so in the checkout. */
function calledFrom(): string {
  return process.env.UAC_CALLED_FROM ?? process.cwd();
}
