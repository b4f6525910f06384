/** A pull request by the owner's own `gh`, for a branch that was pushed. It is called without a shell, outside of any repository. */
import { access, constants } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";
import * as z from "zod";
import { UacError } from "#core/errors.ts";
import type { Follow } from "#core/follow-up.ts";
import { failed } from "./git.ts";
import { runOnHost } from "./host-command.ts";
import { ownersEnvironment } from "./push.ts";

const timeLimit = 60_000;
const errorTail = 600;
const listedSchema = z.array(z.object({ url: z.string(), headRefOid: z.string() }));
const address = /https?:\/\/[\x21-\x7e]+\/pull\/\d+/;

/** Where `gh` is; null: nowhere on this machine's path. */
export async function findGh(path = process.env.PATH ?? ""): Promise<string | null> {
  for (const folder of path.split(delimiter).filter(isAbsolute)) {
    const file = join(folder, "gh");
    const there = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return file;
  }
  return null;
}

/** The pull request that is open for the branch, or a new one. Every value is one argument after its `=`; the body goes by standard input. */
export async function pullRequest(project: string, { branch, into, says }: Follow, signal: AbortSignal) {
  if (into === null || says === null) throw new UacError("conflict", "Not proposed: it was not said into which branch, or in which words.");
  const open = await findOpen(project, branch, into, signal);
  if (open !== null) return { already: true, url: open };
  const args = ["pr", "create", `--repo=${project}`, `--head=${branch}`, `--base=${into}`, `--title=${says.title}`, "--body-file=-"];
  const run = await gh(args, says.body, signal);
  const url = address.exec(run.out)?.[0];
  if (run.code === 0 && url) return { already: false, url };
  // Another attempt may have been faster, or killed just after.
  const now = await findOpen(project, branch, into, signal);
  if (now !== null) return { already: true, url: now };
  throw failed(
    `The branch is pushed, but there is no pull request: gh said: ${(run.said || run.out).slice(-errorTail) || `nothing (${run.code})`}`,
  );
}

async function findOpen(project: string, branch: string, into: string, signal: AbortSignal): Promise<string | null> {
  const args = [
    "pr",
    "list",
    `--repo=${project}`,
    `--head=${branch}`,
    `--base=${into}`,
    "--state=open",
    "--json=url,headRefOid",
    "--limit=1",
  ];
  const run = await gh(args, "", signal);
  if (run.code !== 0)
    throw failed(
      `The branch is pushed, but gh can't be asked: ${(run.said || run.out).slice(-errorTail)}. Is it logged in (gh auth status)?`,
    );
  const listed = listedSchema.safeParse(parsed(run.out));
  if (!listed.success) throw failed("The branch is pushed, but what gh answered is no list of pull requests.");
  return listed.data[0]?.url ?? null;
}

async function gh(args: readonly string[], input: string, signal: AbortSignal) {
  const program = await findGh();
  if (program === null) throw new UacError("conflict", "The branch is pushed, but gh is not on this machine any more.");
  const env = {
    ...ownersEnvironment(),
    PATH: process.env.PATH ?? "",
    HOME: process.env.HOME ?? "/",
    ...{ LC_ALL: "C", NO_COLOR: "1", GH_PROMPT_DISABLED: "1", GH_NO_UPDATE_NOTIFIER: "1", GIT_TERMINAL_PROMPT: "0" },
  };
  const run = await runOnHost(program, args, { cwd: tmpdir(), env, input, timeoutMs: timeLimit, signal });
  if (run.ended === "signal") throw new UacError("interrupted", "It was stopped.");
  if (run.ended === "time") throw failed(`gh did not answer within ${timeLimit / 1000} s.`);
  return run;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
