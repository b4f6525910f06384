/** `start`: the factory in the foreground. */
import type { Env } from "#factory/profile.ts";
import { type Opened, openBranch } from "../compose.ts";
import { runFactory } from "../loop.ts";

/** Resolves to 0 when drained, 130 when stopped by a second signal. Rejects as `openBranch` and HQ do. */
export async function start(env: Env, open: (env: Env) => Promise<Opened> = openBranch): Promise<number> {
  const { branch, close } = await open(env);
  const drain = new AbortController();
  const halt = new AbortController();
  const onSignal = () => {
    if (drain.signal.aborted) halt.abort();
    drain.abort();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  branch.log.info(`${branch.profile.personas.primary} opens ${branch.profile.name}`, {
    factory: branch.self,
    version: branch.version,
    sandbox: branch.sandbox.name,
  });
  try {
    await runFactory(branch, { drain: drain.signal, halt: halt.signal });
  } finally {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
    await close();
  }
  return halt.signal.aborted ? 130 : 0;
}
