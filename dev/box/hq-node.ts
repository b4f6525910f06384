/** Headquarters as on a VPS: `hq-worker/node.ts` in a process of its own. It has a clock of its own and ticks itself. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildAssets } from "./assets.ts";
import { startChild } from "./child.ts";
import type { HqOptions, HqProgram } from "./hq.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export async function nodeHq({ dir, port, env, composition = join(root, "hq-worker", "node.ts") }: HqOptions): Promise<HqProgram> {
  await buildAssets();
  return {
    launch: (onLine, more) =>
      startChild({
        name: "hq",
        args: ["--import", "tsx", composition],
        env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env, ...more, HOST: "127.0.0.1", PORT: String(port) },
        logFile: join(dir, "logs", "hq.log"),
        onLine,
      }),
    // Where it can't start it ends.
    gaveUp: () => false,
    tick: null,
  };
}
