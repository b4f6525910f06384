/**
 * `npx tsx branch-agent`. Imports built-ins only, so that it runs on a bare clone: it sets the clone up if need be, and
 * goes on under the project's own Node 24, from one file. Plain JavaScript, as is what makes that file: taking types out of these two
 * took as long as all the rest of the start.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const ready = existsSync(join(root, "node_modules", ".bin", "tsx")) && Number(process.versions.node.split(".")[0]) >= 24;

if (ready) {
  const { program } = await import("./bundle.js");
  const { main } = await program(root);
  process.exitCode = await main(process.argv.slice(2));
  // Whatever still runs after the end (a model's answer, a tool) is not waited for.
  setTimeout(() => process.exit(), 1000).unref();
} else {
  const args = [join(root, "scripts", "with-node24.mjs"), "--for=run", join(root, "branch-agent", "index.js"), ...process.argv.slice(2)];
  const child = spawn(process.execPath, args, { stdio: "inherit", env: { ...process.env, UAC_CALLED_FROM: process.cwd() } });
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => {
    process.exitCode = signal ? 1 : (code ?? 1);
  });
}
