/** Headquarters of the town under Node: the product's program, composed under the harness's gate. */
import { openNodeHeadquarters } from "../../hq-worker/compose-node.ts";
import { serveHeadquarters } from "../../hq-worker/serve.ts";
import { arrangeHq, hqGate } from "./arrange-hq.ts";
import { keepFresh } from "./gate.ts";

/** How often a long-lived process asks which points are armed, milliseconds. */
const freshEveryMs = 100;

const gate = hqGate(process.env);
await keepFresh(gate, freshEveryMs);
process.exitCode = await serveHeadquarters(() => openNodeHeadquarters(process.env, arrangeHq(process.env, gate)));
setTimeout(() => process.exit(), 1000).unref();
