/**
 * Sets up, then runs a file of this checkout on Node 24 with tsx: `with-node24.mjs [--for=code|run|test] <file> [arguments]`.
 * `--for` says what has to be here first, by default `run`.
 */
import { runForeground } from "./foreground.mjs";
import { setUpOrExit } from "./setup.mjs";

const args = process.argv.slice(2);
const wanted = args[0]?.startsWith("--for=") ? args.shift()?.slice("--for=".length) : "run";
if ((wanted !== "code" && wanted !== "run" && wanted !== "test") || args.length === 0) {
  process.stderr.write("usage: node scripts/with-node24.mjs [--for=code|run|test] <file> [arguments]\n");
  process.exit(2);
}
const ready = await setUpOrExit(wanted);
process.exitCode = await runForeground(ready, ["--import", "tsx", ...args]);
