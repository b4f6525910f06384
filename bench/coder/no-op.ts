/** What a command that does nothing takes: in the sandbox, with all that is on by default, and by a bare spawn; in turns. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Sandbox, SandboxScope } from "#ports/sandbox.ts";

export interface NoOps {
  sandboxed: number[];
  bare: number[];
}

/** Milliseconds each. */
export async function timeNoOps(sandbox: Sandbox, scope: SandboxScope, rounds: number): Promise<NoOps> {
  const times: NoOps = { sandboxed: [], bare: [] };
  await sandbox.check();
  for (let round = 0; round < rounds; round += 1) {
    let began = performance.now();
    const run = await sandbox.run(scope, { command: "true", cwd: scope.worktree, timeoutMs: 10_000, env: {}, maxOutput: 1024 });
    if (run.exitCode !== 0) throw new Error(`true ended with ${run.exitCode}: ${run.output}`);
    times.sandboxed.push(performance.now() - began);
    began = performance.now();
    await once(spawn("/bin/bash", ["-c", "true"], { cwd: scope.worktree, stdio: ["ignore", "pipe", "pipe"] }), "close");
    times.bare.push(performance.now() - began);
  }
  return times;
}
