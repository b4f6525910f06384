/**
 * `DATABASE_URL=… HQ_URL=… npx tsx dashboard`: the Corporation View alone, on this machine's loopback address.
 * Also read: DATABASE_AUTH_TOKEN, PORT (8788).
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { serve } from "@hono/node-server";
import { publicMessage, UacError } from "#core/errors.ts";
import { assets } from "./assets.ts";
import { compose } from "./compose.ts";

const assetsDir = fileURLToPath(new URL("../.assets", import.meta.url));

try {
  if (!existsSync(`${assetsDir}${assets.css}`)) {
    throw new UacError("bad_config", "The style sheet and scripts are not built: run `npm run build:assets` first.");
  }
  const { app, port, token } = await compose(process.env, assetsDir);
  serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, (address) => {
    process.stdout.write(`Corporation View, read only. Open once: http://localhost:${address.port}/login?t=${token}\n`);
  });
} catch (error) {
  process.stderr.write(`${publicMessage(error)}\n`);
  process.exitCode = 1;
}
