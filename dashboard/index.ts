/**
 * `DATABASE_URL=… HQ_URL=… npx tsx dashboard`: the Corporation View alone, on this machine's loopback address.
 * Also read: DATABASE_AUTH_TOKEN, PORT (8788).
 */
import { serve } from "@hono/node-server";
import { publicMessage } from "#core/errors.ts";
import { compose } from "./compose.ts";
import { staticFiles } from "./static.ts";

try {
  const { app, port, token } = await compose(process.env, staticFiles());
  serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, (address) => {
    process.stdout.write(`Corporation View, read only. Open once: http://localhost:${address.port}/login?t=${token}\n`);
  });
} catch (error) {
  process.stderr.write(`${publicMessage(error)}\n`);
  process.exitCode = 1;
}
