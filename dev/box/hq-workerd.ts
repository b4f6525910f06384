/** Headquarters as a Worker: real workerd under `wrangler dev`. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startChild } from "./child.ts";
import type { HqOptions, HqProgram } from "./hq.ts";

const wrangler = fileURLToPath(new URL("../../node_modules/wrangler/bin/wrangler.js", import.meta.url));

export async function workerdHq({ dir, port, env, composition }: HqOptions): Promise<HqProgram> {
  const isolated = join(dir, "wrangler");
  await mkdir(isolated, { recursive: true });
  // Named instead of .env and .dev.vars, which may hold somebody's own values; it must exist, since node looks for it too.
  const noVariables = join(isolated, "no-variables.env");
  await writeFile(noVariables, "");
  const args = [wrangler, "dev", "--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0"];
  args.push("--persist-to", isolated, "--env-file", noVariables, "--show-interactive-dev-session=false");
  if (composition) args.push("--config", composition);
  return {
    launch: (onLine, more) =>
      startChild({
        name: "hq",
        args,
        env: {
          PATH: process.env.PATH,
          HOME: process.env.HOME,
          ...proxies(),
          ...env,
          ...more,
          CLOUDFLARE_INCLUDE_PROCESS_ENV: "true",
          WRANGLER_SEND_METRICS: "false",
          // Its traces hold whole addresses, and a bot's token is part of every address of the Bot API.
          X_LOCAL_OBSERVABILITY: "false",
          // A door to the state of every Durable Object, open to whoever reaches the port.
          X_LOCAL_EXPLORER: "false",
          NO_COLOR: "1",
        },
        logFile: join(dir, "logs", "hq.log"),
        onLine,
      }),
    // Wrangler waits for somebody to mend the code; whoever starts a box would wait with it.
    gaveUp: (line) => line.includes("Build failed"),
    tick: tickWorker,
  };
}

/** Calls the minute tick: wrangler's local cron never fires by itself. */
export async function tickWorker(url: string): Promise<void> {
  await fetch(`${url}/cdn-cgi/handler/scheduled`, { signal: AbortSignal.timeout(30_000) });
}

function proxies() {
  const names = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "NODE_EXTRA_CA_CERTS"];
  return Object.fromEntries(names.filter((name) => process.env[name]).map((name) => [name, process.env[name] ?? ""]));
}
