/** Headquarters' environment in the box that `npm start` runs, put together from what the box left in its folder. */
import { fileURLToPath } from "node:url";
import { UacError } from "#core/errors.ts";
import type { Env } from "#factory/profile.ts";
import { loadOrMakeKeys } from "../dev/box/keys.ts";
import { findRunning } from "../dev/box/running.ts";

const usualFolder = fileURLToPath(new URL("../.uac/box", import.meta.url));

/** `env`: what the box was given (a bus, a bot), which it wrote to no file. Throws `hq_unreachable` where no box runs. */
export async function environmentOfBox(env: Env, folder: string | null): Promise<Env> {
  const dir = folder ?? usualFolder;
  const box = await findRunning(dir);
  if (!box) throw new UacError("hq_unreachable", `No box runs in ${dir}. Start it: npm start`);
  const keys = await loadOrMakeKeys(dir);
  const standIn = {
    TELEGRAM_BOT_TOKEN: keys.botToken,
    TELEGRAM_API_ROOT: box.chatUrl?.replace(/\/$/, ""),
    TELEGRAM_OWNER_IDS: String(keys.owner),
  };
  return {
    ...env,
    DATABASE_URL: box.databaseUrl,
    DATABASE_AUTH_TOKEN: keys.databaseToken,
    ...(box.busUrl !== null && { BUS_URL: box.busUrl, BUS_TOKEN: keys.busToken }),
    ...(box.chatUrl !== null && standIn),
    TELEGRAM_WEBHOOK_SECRET: keys.webhookSecret,
    HQ_SIGNING_KEY: keys.signingKey,
    PUBLIC_URL: env.PUBLIC_URL ?? box.hqUrl,
    // No model is asked from here.
    LLM_PROVIDER: "scripted",
    ANTHROPIC_BASE_URL: box.hqUrl,
    ANTHROPIC_API_KEY: keys.modelKey,
  };
}
