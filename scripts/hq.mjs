/** `npm run hq`: sets up, writes the dashboard's static files, then runs headquarters under Node. */
import { runForeground } from "./foreground.mjs";
import { setUpOrExit } from "./setup.mjs";

const ready = await setUpOrExit("code");
await import("./build-assets.mjs");
process.exitCode = await runForeground(ready, ["--import", "tsx", "hq-worker/node.ts", ...process.argv.slice(2)]);
