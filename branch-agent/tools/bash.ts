import * as z from "zod";
import type { SandboxRun } from "#ports/sandbox.ts";
import type { Tool } from "#ports/tool.ts";
import type { Bench } from "./context.ts";
import { keep, keptOutput, shorten } from "./shown-output.ts";

/** Seconds. */
const usual = 120;
const longest = 600;

const input = z.strictObject({
  command: z.string().min(1).max(30_000),
  timeout_s: z.int().min(1).max(longest).optional().describe(`default ${usual}`),
  background: z.boolean().optional().describe("true: runs on as a job, without timeout_s"),
});

export function bashTool({ worktree, sandbox, scope, logDir, redact, ran, jobs }: Bench): Tool<z.infer<typeof input>> {
  return {
    name: "bash",
    description: `Run a command in the worktree's root: sandboxed, ${reach(scope.network)}, no stdin, only a job outlives the call. Git is read-only; commits are made for you.`,
    input,
    needs: "exec",
    repeatable: false,
    async run({ command, timeout_s = usual, background }, call) {
      if (background) return await jobs.start(command, call);
      const run = await sandbox.run(scope, {
        command,
        cwd: worktree.path,
        timeoutMs: timeout_s * 1000,
        env: {},
        maxOutput: keptOutput,
        signal: call.signal,
      });
      await ran({ command: redact(command).slice(0, 2000), exitCode: run.exitCode, durationMs: run.durationMs });
      const output = redact(run.output).trimEnd();
      const brief = shorten(output);
      const log = brief === output ? "" : await keep(logDir, call.key, output);
      const network = (run.refusals ?? []).map((sentence) => `\n[network: ${redact(sentence)}]`).join("");
      return { content: `${brief}${brief ? "\n" : ""}[${ending(run, timeout_s)}]${network}${log}`, isError: run.exitCode === null };
    },
  };
}

function reach(hosts: readonly string[]): string {
  return hosts.length === 0 ? "no network" : `network by the proxy in HTTPS_PROXY, only to ${hosts.join(", ")}`;
}

function ending(run: SandboxRun, limit: number): string {
  const { limit: hit, ...otherwise } = run;
  if (hit !== undefined) return run.exitCode === null ? hit : `${ending(otherwise, limit)}; ${hit}`;
  if (run.timedOut) return `ended after ${limit} s; raise timeout_s (up to ${longest}), do less at once, or run it in the background`;
  if (run.exitCode === null) return "stopped from outside";
  return `exit ${run.exitCode}, ${(run.durationMs / 1000).toFixed(1)} s`;
}
