/** HQ's routes. Nothing here knows which program serves them. */
import { Hono } from "hono";
import { publicMessage, UacError } from "#core/errors.ts";
import type { Refusal } from "#core/hq-api.ts";
import { capabilitiesMd } from "#factory/capabilities-md.ts";
import { each, factoryApi, tellJobs } from "./api.ts";
import { telegramChannel } from "./channels/telegram.ts";
import type { HqApp, HqContext } from "./context.ts";

/** `app.fetch(request, context)`: the context is made for each request by the program that serves it. */
export function hqApp(): HqApp {
  const app = new Hono<{ Bindings: HqContext }>();

  app.get("/health", (c) => c.json({ ok: true, factory: c.env.hq.profile.id, role: "headquarters" }));
  app.get("/capabilities.md", (c) => c.text(capabilitiesMd(c.env.hq.profile), 200, { "content-type": "text/markdown; charset=utf-8" }));
  app.route("/telegram", telegramChannel());
  app.route("/api", factoryApi());
  app.on("POST", ["/asks/:id", "/tasks/:id/follow-up"], async (c) => {
    const response = await c.env.dashboard.fetch(c.req.raw);
    // Answered, or asked: what follows from it is handed out and said.
    if (response.status === 303) c.env.later(each(c.env.hq, tellJobs(c.env)));
    return response;
  });
  app.all("*", (c) => c.env.dashboard.fetch(c.req.raw));

  app.onError((error, c) => {
    const status = error instanceof UacError ? error.status : 500;
    if (status >= 500) c.env.hq.log.error("a request failed", { method: c.req.method, path: c.req.path, error });
    const code = error instanceof UacError ? error.code : "internal";
    // A factory whose envelope is from the future, or has expired, sets its clock by what time it is here.
    const time = code === "bad_envelope" ? { now: c.env.hq.clock.now() } : {};
    const refusal: Refusal = { from: "headquarters", error: code, message: c.env.hq.redactor.clean(publicMessage(error)), ...time };
    return c.json(refusal, status as 500);
  });
  return app;
}
