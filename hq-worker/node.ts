/** HQ as a program of its own, for a VPS: `npm run hq`. The same app as the Worker's; its settings come from the environment. */
import { openNodeHeadquarters } from "./compose-node.ts";
import { serveHeadquarters } from "./serve.ts";

process.exitCode = await serveHeadquarters(() => openNodeHeadquarters(process.env));
// What did not end in its time (a model's answer) is not waited for: its turn goes on at the next start.
setTimeout(() => process.exit(), 1000).unref();
