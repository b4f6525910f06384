/** `code`: one task in one repository, here and now, with nobody behind it. */
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { UacError } from "#core/errors.ts";
import type { Env } from "#factory/profile.ts";
import { openCode } from "../compose-code.ts";
import { doAlone } from "../solo/task.ts";
import { progressLines, reportOf, showReport } from "./code-report.ts";

export interface CodeArguments {
  /** `-`: on standard input. */
  instruction: string;
  workspace?: string;
  test?: string;
  model?: string;
  setup?: boolean;
  withEdits?: boolean;
  json?: boolean;
}

/** A terminal, and what hands signals on, may give the same one twice. */
const echoMs = 500;

/**
 * Resolves to 0 where the work is verified, or the repository has no tests and that is said; to 130 where it was interrupted; else to 1.
 * Rejects as `openCode` does. `cwd` is where the command was called.
 */
export async function code(env: Env, cwd: string, given: CodeArguments): Promise<number> {
  const interrupt = new AbortController();
  const stopListening = onInterrupt(interrupt);
  try {
    refuseEmpty(given);
    return await run(env, cwd, given, interrupt.signal);
  } finally {
    stopListening();
  }
}

/** What a script's unset variable leaves: without its tests a repository would count as one that has none. */
function refuseEmpty({ instruction, workspace, test, model }: CodeArguments) {
  for (const [name, value] of Object.entries({ workspace, test, model })) {
    if (value?.trim() === "") throw new UacError("bad_input", `--${name} is empty. Leave it out, or say what it is to be.`);
  }
  if (instruction.trim() === "") throw new UacError("bad_input", "The instruction is empty. Say what is to be done.");
}

async function run(env: Env, cwd: string, given: CodeArguments, signal: AbortSignal): Promise<number> {
  const instruction = given.instruction === "-" ? await text(process.stdin) : given.instruction;
  const opened = await openCode(env, { path: resolve(cwd, given.workspace ?? "."), test: given.test, model: given.model });
  const { workshop, task, workspace, path } = opened;
  try {
    const say = progressLines(process.stderr, env, workshop.clock);
    const { model, provider } = workshop.profile.inference.coder[0];
    say("begin", "", `${workshop.profile.personas.coder} (${provider}/${model}) in ${path}, ${workshop.sandbox.name}`);
    const { setup, withEdits } = given;
    const outcome = await doAlone(workshop, { task, workspace, instruction, setup, withEdits, signal, tell: say });
    const report = reportOf(outcome, path, workshop.profile.capabilities.shell);
    process.stdout.write(given.json ? `${JSON.stringify(report)}\n` : showReport(report, cwd));
    if (signal.aborted) return 130;
    return report.ok ? 0 : 1;
  } finally {
    await opened.close();
  }
}

/** The first signal ends the work in good order, the second one at once: what is left then is cleared away by the next run. */
function onInterrupt(interrupt: AbortController): () => void {
  let at = 0;
  const onSignal = () => {
    const now = performance.now();
    if (interrupt.signal.aborted && now - at > echoMs) process.exit(130);
    if (interrupt.signal.aborted) return;
    at = now;
    process.stderr.write("\nstopping; once more to stop at once\n");
    interrupt.abort("you stopped it");
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}
