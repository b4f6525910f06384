/** A program of the harness's, started as one of the town's processes; and how it is known that one answers. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Child, startChild } from "../box/child.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const readyMs = 90_000;
const probeMs = 3000;

/** `file` of this folder, with its output in the town's logs. */
export function startProgram(name: string, dir: string, file: string, env: Record<string, string>): Child {
  return startChild({ name, args: ["--import", "tsx", join(here, file)], env, logFile: join(dir, "logs", `${name}.log`) });
}

/** Rejects if nobody answers there within a minute and a half. */
export async function answers(url: string): Promise<void> {
  const until = Date.now() + readyMs;
  while (Date.now() < until) {
    const response = await fetch(url, { signal: AbortSignal.timeout(probeMs) }).catch(() => null);
    await response?.body?.cancel();
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Nothing answers at ${url}`);
}
