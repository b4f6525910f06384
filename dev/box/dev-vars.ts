/**
 * `.dev.vars` for a bare `npx wrangler dev` beside `npm start -- --without hq`. It holds nothing but the box's throwaway
 * credentials and loopback addresses: with any real credential in the environment it is not written, and an old one goes.
 */
import { readFile, rm, writeFile } from "node:fs/promises";

const mark = "# Written by npm start: throwaway credentials of the local stand-ins.";

/** Leaves a file that somebody else wrote alone. `env` null removes ours. */
export async function writeDevVars(path: string, env: Readonly<Record<string, string>> | null): Promise<void> {
  const found = await readFile(path, "utf8").catch(() => null);
  if (found !== null && !found.startsWith(mark)) return;
  if (env === null) return rm(path, { force: true });
  const lines = Object.entries(env).map(([name, value]) => `${name}='${value}'`);
  await writeFile(path, `${[mark, ...lines].join("\n")}\n`, { mode: 0o600 });
}
