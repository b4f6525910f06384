/** A branch of the town: the product's program, composed in the town's time and under the harness's gate. */
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { busScheme } from "#adapters/bus/index.ts";
import { redisBus } from "#adapters/bus/redis.ts";
import { upstashBus } from "#adapters/bus/upstash.ts";
import type { Branch } from "#factory/branch.ts";
import type { Bus } from "#ports/bus.ts";
import type { Hq } from "#ports/hq.ts";
import { start } from "../../branch-agent/cli/start.ts";
import { openBranch } from "../../branch-agent/compose.ts";
import { httpHq } from "../../branch-agent/hq-client.ts";
import { hqClock } from "../../branch-agent/hq-clock.ts";
import { libsqlJournal } from "../../branch-agent/journal/libsql.ts";
import { controllerVariable, type Gate, gated, keepFresh, lifeVariable, openGate } from "./gate.ts";
import { forgetfulReports, sabotageOf } from "./sabotage.ts";
import { pacedClock, paceOf } from "./time.ts";

const freshEveryMs = 100;
/**
 * Time limits of the machine's, made shorter with the town's time so that a silent link is noticed within a lease, but not so
 * short that a busy machine breaks them.
 */
const busLimitMs = 2500;
const hqLimitMs = 4000;

const { env } = process;
const pace = paceOf(env);
const gate = openGate(env[controllerVariable] ?? "", env.FACTORY_ID ?? "", env[lifeVariable] ?? "");
await keepFresh(gate, freshEveryMs);
process.exitCode = await start(env, async () => {
  const sabotage = sabotageOf(env);
  const unknown = `file:${join(env.UAC_HOME ?? "", `journal-${env[lifeVariable]}.db`)}`;
  const forgetful = sabotage === "journal" ? await libsqlJournal(createClient({ url: unknown })) : null;
  const { transport, url } = busScheme(env.BUS_URL ?? "");
  const bus =
    transport === "upstash" ? upstashBus({ url, token: env.BUS_TOKEN ?? "", limitMs: busLimitMs }) : redisBus({ url, limitMs: busLimitMs });
  const { branch, close } = await openBranch(env, (opened) => {
    const journal = forgetful ?? (sabotage === "outbox" ? forgetfulReports(opened.journal) : opened.journal);
    const clock = hqClock(pacedClock(pace));
    const hq = httpHq({ url: env.HQ_URL ?? "", timeoutMs: hqLimitMs, heard: clock.follow });
    return arrange({ ...opened, bus, journal, clock, hq });
  });
  return {
    branch,
    async close() {
      await bus.close();
      await close();
    },
  };
});
setTimeout(() => process.exit(), 1000).unref();

function arrange(branch: Branch): Branch {
  return {
    ...branch,
    bus: gated(pacedBus(branch.bus, pace.speed), "branch.bus", gate, "bus_unavailable"),
    journal: gated(branch.journal, "branch.journal", gate, "store_unavailable"),
    workspaces: gated(branch.workspaces, "branch.workspaces", gate, "workspace_failed"),
    hq: gated(overheard(branch.hq, gate), "branch.hq", gate, "hq_unreachable"),
  };
}

/** Waits on the bus last as long in the town's time as they were meant to. */
function pacedBus(bus: Bus, speed: number): Bus {
  return { ...bus, read: (options) => bus.read({ ...options, blockMs: Math.ceil(options.blockMs / speed) }) };
}

/**
 * Tells the harness which attempts the branch was told to stop, once it surely has: at the heartbeat after the one whose answer
 * said so. From then on such an attempt may do nothing any more.
 */
function overheard(hq: Hq, to: Gate): Hq {
  let obeyed: { task: string; epoch: number }[] = [];
  return {
    ...hq,
    async heartbeat(jws) {
      if (obeyed.length > 0) await to.tell("stopped", obeyed);
      obeyed = [];
      const reply = await hq.heartbeat(jws);
      obeyed = reply.stop.map(({ task, epoch }) => ({ task, epoch }));
      return reply;
    },
  };
}
