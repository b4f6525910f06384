import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { SandboxRun } from "#ports/sandbox.ts";
import type { Tool } from "#ports/tool.ts";
import type { Bench } from "./context.ts";

/** Seconds. */
const usual = 120;
const longest = 600;
/** Bytes of output that are kept, in a log; the model is shown the beginning and the end. */
const kept = 2 * 1024 ** 2;
const shownLines = 128;
const shownBytes = 10 * 1024;

const input = z.strictObject({
  command: z.string().min(1).max(30_000),
  timeout_s: z.int().min(1).max(longest).optional().describe(`default ${usual}`),
});

export function bashTool({ worktree, sandbox, scope, logDir, redact, ran }: Bench): Tool<z.infer<typeof input>> {
  return {
    name: "bash",
    description: `Run a command in the worktree's root: sandboxed, ${reach(scope.network)}, no stdin, nothing stays running after it. Git is read-only; commits are made for you.`,
    input,
    needs: "exec",
    repeatable: false,
    async run({ command, timeout_s = usual }, call) {
      const run = await sandbox.run(scope, {
        command,
        cwd: worktree.path,
        timeoutMs: timeout_s * 1000,
        env: {},
        maxOutput: kept,
        signal: call.signal,
      });
      await ran({ command: redact(command).slice(0, 2000), exitCode: run.exitCode, durationMs: run.durationMs });
      const output = redact(run.output).trimEnd();
      const brief = shorten(output);
      const log = brief === output ? "" : `\n[all of it: read "${await keep(logDir, call.key, output)}"]`;
      const network = (run.refusals ?? []).map((sentence) => `\n[network: ${redact(sentence)}]`).join("");
      return { content: `${brief}${brief ? "\n" : ""}[${ending(run, timeout_s)}]${network}${log}`, isError: run.exitCode === null };
    },
  };
}

function reach(hosts: readonly string[]): string {
  return hosts.length === 0 ? "no network" : `network by the proxy in HTTPS_PROXY, only to ${hosts.join(", ")}`;
}

function ending(run: SandboxRun, limit: number): string {
  if (run.timedOut) return `ended after ${limit} s; raise timeout_s (up to ${longest}) or do less at once`;
  if (run.exitCode === null) return "stopped from outside";
  return `exit ${run.exitCode}, ${(run.durationMs / 1000).toFixed(1)} s`;
}

/** The first and the last lines, and of these the first and last bytes. */
function shorten(output: string): string {
  const lines = output.split("\n");
  const over = lines.length - 2 * shownLines;
  const cut = over > 0 ? [...lines.slice(0, shownLines), `… ${over} lines left out …`, ...lines.slice(-shownLines)].join("\n") : output;
  const bytes = Buffer.from(cut, "utf8");
  if (bytes.length <= shownBytes) return cut;
  // Cut at characters: a half one at either edge becomes a replacement mark, which is dropped.
  const head = bytes
    .subarray(0, shownBytes / 2)
    .toString("utf8")
    .replace(/\uFFFD+$/, "");
  const tail = bytes
    .subarray(-shownBytes / 2)
    .toString("utf8")
    .replace(/^\uFFFD+/, "");
  return `${head}\n… ${bytes.length - shownBytes} bytes left out …\n${tail}`;
}

/** Named by the call, so that a model told of it finds it again after a resume. */
async function keep(logDir: string, key: string, output: string): Promise<string> {
  const path = join(logDir, `${key.replace(/[^A-Za-z0-9_-]/g, "_").slice(-100)}.log`);
  await writeFile(path, output, { mode: 0o600 });
  return path;
}
