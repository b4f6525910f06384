/** Headquarters of the town, whatever it runs on: the product's own, in the town's time and under the harness's gate. */
import type { Headquarters } from "#factory/headquarters.ts";
import { controllerVariable, type Gate, gated, lifeVariable, openGate } from "./gate.ts";
import { forgetfulOutbox, sabotageOf, unfenced } from "./sabotage.ts";
import { pacedClock, paceOf } from "./time.ts";

type Variables = Readonly<Record<string, unknown>>;

export function hqGate(env: Variables): Gate {
  return openGate(String(env[controllerVariable]), "hq", String(env[lifeVariable]));
}

export function arrangeHq(env: Variables, gate: Gate): (hq: Headquarters) => Headquarters {
  const pace = paceOf(env);
  const sabotage = sabotageOf(env);
  return (hq) => {
    const store = sabotage === "fence" ? unfenced(hq.store) : sabotage === "outbox" ? forgetfulOutbox(hq.store) : hq.store;
    return {
      ...hq,
      clock: pacedClock(pace),
      store: gated(store, "hq.store", gate, "store_unavailable"),
      bus: gated(hq.bus, "hq.bus", gate, "bus_unavailable"),
      chat: gated(hq.chat, "hq.chat", gate, "internal"),
    };
  };
}
