/** The style sheet and scripts, served by a program under Node. For a Worker the platform does it. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { serveStatic } from "@hono/node-server/serve-static";
import type { MiddlewareHandler } from "hono";
import { UacError } from "#core/errors.ts";
import { assets } from "./assets.ts";

const builtIn = fileURLToPath(new URL("../.assets", import.meta.url));

/** For `/assets/*`. Throws `bad_config` where scripts/build-assets.mjs has not written them. */
export function staticFiles(): MiddlewareHandler {
  if (!existsSync(`${builtIn}${assets.css}`)) {
    throw new UacError("bad_config", "The style sheet and scripts are not built: run `npm run build:assets` first.");
  }
  return serveStatic({
    root: builtIn,
    onFound: (_, c) => {
      // Their names change with their content.
      c.header("Cache-Control", "public, max-age=31536000, immutable");
      c.header("X-Content-Type-Options", "nosniff");
    },
  });
}
