/** The dashboard alone under Node: a read-only copy beside headquarters, from the same database. */
import { createClient } from "@libsql/client";
import { Hono, type MiddlewareHandler } from "hono";
import { systemClock } from "#adapters/clock/system.ts";
import { randomIds } from "#adapters/ids/random.ts";
import { jsonLog } from "#adapters/log/json.ts";
import { knownValues } from "#adapters/redactor/known-values.ts";
import { UacError } from "#core/errors.ts";
import type { Clock } from "#ports/clock.ts";
import { dashboardApp } from "./app.tsx";
import { dashboardDb } from "./db.ts";
import { type DashboardAccess, sha256 } from "./gate.ts";

export interface Standalone {
  app: Hono;
  port: number;
  /** The token of the one login link that this process accepts. */
  token: string;
}

/** Throws `bad_config`, naming the variable. `files` serves what lies under `/assets/`. */
export async function compose(env: Readonly<Record<string, string | undefined>>, files: MiddlewareHandler): Promise<Standalone> {
  const url = env.DATABASE_URL;
  if (!url) throw new UacError("bad_config", "DATABASE_URL is not set: the address of headquarters' database, libsql://… or file:…");
  const port = Number(env.PORT ?? "8788");
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UacError("bad_config", `PORT is ${env.PORT}: it must be from 0 to 65535`);
  const hqUrl = env.HQ_URL ?? "";
  if (!URL.canParse(hqUrl) || !/^https?:/.test(hqUrl)) {
    throw new UacError("bad_config", "HQ_URL is not set: where headquarters is, https://…, so that these pages can say who acts");
  }

  const redactor = knownValues();
  if (env.DATABASE_AUTH_TOKEN) redactor.learn({ DATABASE_AUTH_TOKEN: env.DATABASE_AUTH_TOKEN });
  const client = createClient({ url, ...(env.DATABASE_AUTH_TOKEN && { authToken: env.DATABASE_AUTH_TOKEN }) });
  const token = randomIds.secret(24);
  const app = new Hono();
  app.use("/assets/*", files);
  app.route(
    "/",
    dashboardApp({
      db: dashboardDb(client),
      access: await ownAccess(token, systemClock),
      clock: systemClock,
      hqUrl,
      log: jsonLog({ write: (line) => process.stderr.write(`${line}\n`), redactor, level: "info", clock: systemClock }),
      signIn: "The program that serves this page printed a link when it started: open that.",
    }),
  );
  return { app, port, token };
}

/** Logins and sessions of this process alone, since it may not write to the database. The link works until it is used. */
async function ownAccess(token: string, clock: Clock): Promise<DashboardAccess> {
  let login: string | null = await sha256(token);
  const sessions = new Map<string, number>();
  return {
    async redeemLogin(hash, session) {
      if (hash !== login) return false;
      login = null;
      sessions.set(session.hash, session.expiresAt);
      return true;
    },
    async session(hash) {
      return (sessions.get(hash) ?? 0) > clock.now();
    },
    async endSession(hash) {
      sessions.delete(hash);
    },
  };
}
