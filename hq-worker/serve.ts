/** What headquarters under Node answers to: requests, the minute tick, and signals. `open` makes it, once. */
import type { AddressInfo } from "node:net";
import { createAdaptorServer, type ServerType } from "@hono/node-server";
import { Hono } from "hono";
import { hasCode, publicMessage, UacError } from "#core/errors.ts";
import { staticFiles } from "../dashboard/static.ts";
import { hqApp } from "./app.ts";
import type { NodeOpened } from "./compose-node.ts";
import type { HqContext } from "./context.ts";
import { everyMinute } from "./minutes.ts";
import { ringUnfinished, tick } from "./tick.ts";

/** Asked to end, answers, turns and a tick that run have so long to. What is cut off goes on at the next start. */
const graceMs = 20_000;
const serverOptions = {
  /** A request must have come in whole within this time. */
  requestTimeout: 30_000,
  /** Longer than reverse proxies keep an idle connection (nginx 60 s, Caddy 120 s), so that none is closed under a request. */
  keepAliveTimeout: 125_000,
};
const maxConnections = 1000;

/**
 * Serves until SIGTERM or SIGINT; a second one cuts everything off. Resolves to the exit code: 0 after an orderly end, 2 for a
 * configuration that can't be used (all that is wrong is on stderr), 1 for what may be better next time.
 */
export async function serveHeadquarters(open: () => Promise<NodeOpened>): Promise<number> {
  const ending = new AbortController();
  const onSignal = () => {
    if (ending.signal.aborted) process.exit(130);
    ending.abort();
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, onSignal);
  try {
    const opened = await open();
    try {
      await run(opened, ending.signal);
    } finally {
      await opened.close();
    }
    return 0;
  } catch (error) {
    process.stderr.write(`${publicMessage(error)}\n`);
    return hasCode(error, "bad_config") ? 2 : 1;
  } finally {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.off(signal, onSignal);
  }
}

async function run(opened: NodeOpened, ending: AbortSignal) {
  const { hq } = opened;
  const { log, clock, profile, settings } = hq;
  const jobs = new Set<Promise<unknown>>();
  const context: HqContext = {
    ...opened,
    later(work) {
      const job = work.catch((error: unknown) => log.error("work after a response failed", { error })).finally(() => jobs.delete(job));
      jobs.add(job);
    },
  };
  const app = hqApp();
  const front = new Hono();
  front.use("/assets/*", staticFiles());
  front.all("*", (c) => app.fetch(c.req.raw, context));

  const server = createAdaptorServer({ fetch: front.fetch, serverOptions });
  const address = await listen(server, settings);
  log.info(`${profile.personas.primary} opens ${profile.name}`, { host: address.address, port: address.port });
  // Wake-ups are in memory; what they are for is in the tables.
  await ringUnfinished(context, clock.now() + 1);
  const ticks = everyMinute(() => tick(context), hq, ending);

  await aborted(ending);
  log.info("closing: no new requests or turns", { graceMs });
  const answers = new Promise<void>((resolve) => server.close(() => resolve())).then(() => Promise.all(jobs));
  const inTime = new AbortController();
  const orderly = Promise.all([answers, ticks, opened.rest()]).then(() => inTime.abort());
  await Promise.race([orderly, clock.sleep(graceMs, inTime.signal)]);
  if (!inTime.signal.aborted) log.warn("something was cut off; it goes on at the next start", { graceMs });
  if ("closeAllConnections" in server) server.closeAllConnections();
}

/** Rejects with `conflict` where another program has the port, `bad_config` where the address can't be had at all. */
function listen(server: ServerType, { host, port }: { host: string; port: number }): Promise<AddressInfo> {
  if ("maxConnections" in server) server.maxConnections = maxConnections;
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === "EADDRINUSE";
      const why = taken ? "another program listens there; end it, or set another PORT" : `${cause.message}; correct them`;
      reject(new UacError(taken ? "conflict" : "bad_config", `HOST and PORT (${host}, ${port}): ${why}`, { cause }));
    });
    server.listen(port, host, () => resolve(server.address() as AddressInfo));
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
