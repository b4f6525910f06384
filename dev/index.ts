/** `npm start`: a corporation in a box, until Ctrl-C. */

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { attendBranch } from "./box/attend-branch.ts";
import { type Box, startBox } from "./box/box.ts";
import { writeDevVars } from "./box/dev-vars.ts";
import { attendHq, hqKinds } from "./box/hq.ts";
import { tickWorker } from "./box/hq-workerd.ts";
import { usualPorts } from "./box/ports.ts";

const usage = `npm start -- [--fresh] [--hq workerd|node] [--without hq|branch] [--dir FOLDER]
  --fresh           throw away what an earlier start left, and begin anew
  --hq node         headquarters under Node, as on a VPS (default workerd: as at Cloudflare)
  --without hq      everything but headquarters (for a bare "npx wrangler dev" beside it)
  --without branch  no branch factory
  --dir FOLDER      where the box keeps its data (default .uac/box)
`;

const root = fileURLToPath(new URL("..", import.meta.url));

async function main(): Promise<number> {
  let options: ReturnType<typeof readArgs>;
  try {
    options = readArgs();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${usage}`);
    return 2;
  }
  const without = (options.without ?? []).filter((part) => part === "hq" || part === "branch");
  const hq = hqKinds.find((kind) => kind === (options.hq ?? "workerd"));
  if (options.help || !hq || without.length !== (options.without ?? []).length) {
    process.stderr.write(usage);
    return options.help ? 0 : 2;
  }

  const asked = new Promise<void>((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const dir = options.dir ?? `${root}.uac/box`;
  const starting = startBox({ dir, fresh: options.fresh ?? false, env: process.env, hq, without, say });
  const box = await Promise.race([starting, asked.then(() => null)]);
  if (!box) {
    await starting.then((late) => late.stop()).catch(() => undefined);
    return 130;
  }

  const standInsOnly = box.telegram !== null && box.model !== null && !process.env.BUS_URL;
  if (!options.dir) await writeDevVars(`${root}.dev.vars`, standInsOnly ? box.hqEnv : null);

  const [chat, view] = [box.telegram?.chatUrl ?? "your Telegram chat with the bot", box.hqUrl];
  say("");
  say(box.hq ? "The corporation runs." : "Everything but headquarters runs; start it with: npx wrangler dev");
  say(`  chat       ${chat}`);
  say(`  dashboard  ${view}   (say /view in the chat: Simone sends a link that logs you in)`);
  say(
    `  questions  npm run owner -- --box${options.dir ? ` --dir ${options.dir}` : ""} questions   (what you are asked; in the chat and on the dashboard too)`,
  );
  say(`  try        The tests of the demo shop fail. Fix them.`);
  say("");
  if (box.telegram) say("  Telegram is a local stand-in. Set TELEGRAM_BOT_TOKEN and TELEGRAM_OWNER_IDS for the real one.");
  if (box.model)
    say("  The model is a scripted stand-in without intelligence. Set ANTHROPIC_API_KEY, or LLM_PROVIDER and its key, for a real one.");
  if (!process.env.BUS_URL) say("  The bus is a local libSQL file. Set BUS_URL=redis://… for Redis.");
  if (!box.hqUrl.endsWith(`:${usualPorts.hq}`)) say(`  Port ${usualPorts.hq} was busy; headquarters took another.`);
  say("  Ctrl-C ends everything; the next npm start goes on with the same data.");

  const closing = new AbortController();
  const attending = without.includes("branch") ? null : keepBranch(box, closing.signal, say);
  await asked;
  say("closing …");
  closing.abort();
  await attending;
  await box.stop();
  return 0;
}

/** Throws for what is no option. */
function readArgs() {
  return parseArgs({
    options: {
      fresh: { type: "boolean" },
      hq: { type: "string" },
      without: { type: "string", multiple: true },
      dir: { type: "string" },
      help: { type: "boolean" },
    },
  }).values;
}

async function keepBranch(box: Box, stop: AbortSignal, say: (line: string) => void) {
  if (!box.hq) await joinLater(box, stop, say);
  await attendBranch(box, { stop, logFile: "logs/desk-1.log in the box's folder", say });
}

/** Somebody else runs headquarters: the branch starts when it answers. */
async function joinLater(box: Box, stop: AbortSignal, say: (line: string) => void) {
  await attendHq(box.hqUrl, tickWorker, stop);
  if (stop.aborted) return;
  await box.startBranch();
  say("headquarters answers; the branch has started");
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  return 1;
});
