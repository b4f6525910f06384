/**
 * The metering gateway: an HTTP server on the loopback interface between engines and providers. It holds the real keys; an engine gets a
 * token for one task, and what it calls with it goes by that task's meter. A client that goes takes its call with it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ErrorCode } from "#core/errors.ts";
import type { Wire } from "#core/wire-usage.ts";
import type { Ids } from "#ports/ids.ts";
import type { Log } from "#ports/log.ts";
import type { Metering } from "#ports/metering.ts";
import { answer, forward, type GatewayLimits } from "./forward.ts";
import { routeOf, type Upstream } from "./routes.ts";

export interface GatewayOptions {
  ids: Ids;
  log: Log;
  /** `send` under a meter. */
  metered(metering: Metering, call: { upstream: Upstream; wire: Wire; engine: string; send: typeof fetch }): typeof fetch;
  limits?: Partial<GatewayLimits>;
}

const defaults: GatewayLimits = { bodyBytes: 32 * 1024 * 1024, requestMs: 60_000, silenceMs: 300_000, callMs: 3_600_000, calls: 64 };
/** What is under way when a desk closes has so long to get into the ledger. */
const settleMs = 10_000;
const connections = 512;

export interface Desk {
  /** Opens every route of this desk; as a key or as a bearer token. */
  token: string;
  /** What an SDK takes for the provider's base URL. Throws for a provider that the desk was not opened for. */
  urlFor(provider: string): string;
  /** Breaks off what is under way. Resolves when that is in the ledger, or after ten seconds. */
  close(): Promise<void>;
}

export interface Gateway {
  /** `engine`: whose calls these are, in the ledger. */
  openDesk(metering: Metering, upstreams: readonly Upstream[], engine?: string): Desk;
  close(): Promise<void>;
}

/** A desk as the server knows it. */
export interface OpenDesk {
  metering: Metering;
  upstreams: ReadonlyMap<string, Upstream>;
  engine: string;
  closing: AbortController;
  calls: Set<Promise<void>>;
}

/** Listens on a free port of 127.0.0.1. */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const limits = { ...defaults, ...options.limits };
  const desks = new Map<string, OpenDesk>();

  function serve(incoming: IncomingMessage, response: ServerResponse) {
    const route = routeOf(incoming.method ?? "GET", incoming.url ?? "/");
    const desk = desks.get(tokenOf(incoming));
    const refuse = (code: ErrorCode, message: string) => answer(response, route.wire, code, message);
    if (!desk) return refuse("unauthenticated", "This token opens nothing here: it is valid for one task, and as long as that runs.");
    const upstream = desk.upstreams.get(route.provider);
    if (!upstream || !route.fits(upstream.wire)) return refuse("not_found", `The gateway has no ${incoming.method} ${route.path} here.`);
    if (desk.calls.size >= limits.calls) return refuse("limit_reached", `${limits.calls} calls of this task are under way already.`);

    const { metering, engine, closing } = desk;
    const metered = (send: typeof fetch) => options.metered(metering, { upstream, wire: route.wire, engine, send });
    const call = forward({ incoming, response, route, upstream, metered, limits, closing: closing.signal })
      .catch((error: unknown) => {
        options.log.error("the gateway broke a call off", { provider: upstream.provider, error });
        response.destroy();
      })
      .finally(() => desk.calls.delete(call));
    desk.calls.add(call);
  }

  const server = createServer({ requestTimeout: limits.requestMs }, serve);
  server.maxConnections = connections;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function closeDesk(token: string) {
    const desk = desks.get(token);
    desks.delete(token);
    desk?.closing.abort();
    if (!desk || desk.calls.size === 0) return;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), settleMs);
    const waited = new Promise<void>((resolve) => late.signal.addEventListener("abort", () => resolve(), { once: true }));
    await Promise.race([Promise.all(desk.calls), waited]);
    clearTimeout(timer);
  }

  return {
    openDesk(metering, upstreams, engine = "uac") {
      const token = options.ids.secret(32);
      const known = new Map(upstreams.map((upstream) => [upstream.provider, upstream]));
      desks.set(token, { metering, upstreams: known, engine, closing: new AbortController(), calls: new Set() });
      return {
        token,
        urlFor(provider) {
          const upstream = known.get(provider);
          if (!upstream) throw new Error(`this desk has no provider ${provider}`);
          return `${origin}/${provider}${upstream.wire === "anthropic" ? "" : "/v1"}`;
        },
        close: () => closeDesk(token),
      };
    },
    async close() {
      await Promise.all([...desks.keys()].map(closeDesk));
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

/** As SDKs send a key: as one, or as a bearer token. */
function tokenOf({ headers }: IncomingMessage): string {
  const key = headers["x-api-key"];
  return (typeof key === "string" && key) || (headers.authorization?.replace(/^Bearer\s+/i, "") ?? "");
}
