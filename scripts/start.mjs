/** `npm start`: sets up, then runs a corporation in a box. Arguments are passed on. */
import { runForeground } from "./foreground.mjs";
import { setUpOrExit } from "./setup.mjs";

const ready = await setUpOrExit("run");
process.exitCode = await runForeground(ready, ["--import", "tsx", "dev/index.ts", ...process.argv.slice(2)]);
