/** HQ as a Cloudflare Worker: requests, the minute tick, and the desks. */
import { publicMessage } from "#core/errors.ts";
import { hqApp } from "./app.ts";
import { openHeadquarters, type WorkerEnv } from "./compose.ts";
import { tick } from "./tick.ts";

export { Desk } from "./desk.ts";

const app = hqApp();

export default {
  async fetch(request, env, ctx) {
    let context: Awaited<ReturnType<typeof openHeadquarters>>;
    try {
      context = await openHeadquarters(env);
    } catch (error) {
      // A headquarters that is not whole serves nothing: no route is less guarded than another.
      return Response.json({ error: "bad_config", message: publicMessage(error) }, { status: 503 });
    }
    const jobs: Promise<unknown>[] = [];
    const later = (work: Promise<unknown>) => {
      jobs.push(work.catch((error: unknown) => context.hq.log.error("work after a response failed", { error })));
    };
    const response = await app.fetch(request, { ...context, later }, ctx);
    ctx.waitUntil(Promise.all(jobs).then(context.close));
    return response;
  },

  async scheduled(_event, env) {
    const context = await openHeadquarters(env);
    try {
      await tick(context);
    } finally {
      await context.close();
    }
  },
} satisfies ExportedHandler<WorkerEnv>;
