/** What a Worker answers to: requests and the minute tick. `open` makes a headquarters for each event. */
import { publicMessage } from "#core/errors.ts";
import type { Refusal } from "#core/hq-api.ts";
import { hqApp } from "./app.ts";
import type { WorkerEnv } from "./compose.ts";
import type { Opened } from "./context.ts";
import { tick } from "./tick.ts";

export function worker(open: (env: WorkerEnv) => Promise<Opened>) {
  const app = hqApp();
  return {
    async fetch(request, env, ctx) {
      let context: Opened;
      try {
        context = await open(env);
      } catch (error) {
        // A headquarters that is not whole serves nothing: no route is less guarded than another.
        const refusal: Refusal = { from: "headquarters", error: "bad_config", message: publicMessage(error) };
        return Response.json(refusal, { status: 503 });
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
      const context = await open(env);
      try {
        await tick(context);
      } finally {
        await context.close();
      }
    },
  } satisfies ExportedHandler<WorkerEnv>;
}
