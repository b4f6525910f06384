/**
 * The Corporation View: what the fleet does, has done and costs. It reads, takes answers to questions, and has the owner asked what
 * shall become of a finished branch; orders go through the chat.
 */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Child } from "hono/jsx";
import { publicMessage, UacError } from "#core/errors.ts";
import { type FollowDo, followDos } from "#core/follow-up.ts";
import { defaultPersonas } from "#core/persona.ts";
import { questionIdPattern } from "#core/question.ts";
import type { AnswerOutcome } from "#factory/answer-owner.ts";
import type { Asked } from "#factory/ask-follow-up.ts";
import type { Clock } from "#ports/clock.ts";
import type { Log } from "#ports/log.ts";
import { answered, type DashboardDb } from "./db.ts";
import { type DashboardAccess, fromOwnPage, gate, ownPath } from "./gate.ts";
import { headers } from "./headers.ts";
import { Fragment, Notice, Page } from "./layout.tsx";
import type { Panel } from "./panel.ts";
import { changeSeq } from "./panels/change-seq.query.ts";
import { panels } from "./panels/index.ts";
import { loadPatch } from "./panels/task.query.ts";
import { stillTrue, tagOf } from "./tag.ts";

/** A login token and a path. */
const maxFormBytes = 4096;

export interface DashboardDeps {
  db: DashboardDb;
  access: DashboardAccess;
  clock: Clock;
  /** Where headquarters is, if these pages are a read-only copy beside it; null where headquarters serves them itself. */
  hqUrl: string | null;
  /** Answers a question for the owner; absent where these pages can't act. */
  answer?: (id: string, option: string) => Promise<AnswerOutcome>;
  /** Has the owner asked about a follow-up of this task; absent as `answer` is. */
  followUp?: (task: string, deed: FollowDo) => Promise<Asked>;
  log?: Log;
  /** Headquarters' primary persona, as the owner calls it. */
  primary?: string;
  /** One sentence for who has no session. */
  signIn?: string;
}

/**
 * The pages as a Hono app for `/`: `app.route("/", dashboardApp(deps))`. Its paths are `/`, `/tasks`, `/costs`,
 * `/tasks/:id`, `/tasks/:id/diff`, `/tasks/:id/follow-up`, `/asks/:id`, `/login` and `/logout`; `/assets/*` is served by whoever serves static files.
 */
export function dashboardApp(deps: DashboardDeps): Hono {
  const { db, clock, hqUrl } = deps;
  const primary = deps.primary ?? defaultPersonas.headquarters.primary;
  const signIn = deps.signIn ?? `Send /view to ${primary} in the chat: the link that comes back opens this page once.`;
  const door = gate(deps.access, clock);
  const app = new Hono();

  const closed = (c: Context, text = signIn) => notice(c, 401, "Not signed in", <p>{text}</p>);
  const missing = (c: Context, title: string) =>
    notice(
      c,
      404,
      title,
      <p>
        Nothing is stored under this address. <a href="/tasks">All tasks</a>
      </p>,
    );

  async function screen(c: Context, panel: Panel) {
    if (!(await door.open(c))) return closed(c);
    const now = clock.now();
    // The counter first: what is written while the page is made then counts as news.
    const seq = await answered(changeSeq(db));
    if (stillTrue(c.req.header("If-None-Match"), seq, now)) return c.body(null, 304, headers);
    const ask = { db, now, params: c.req.param(), query: c.req.query(), primary, hqUrl };
    const made = await answered(panel.show(ask));
    if (!made) return missing(c, panel.path.startsWith("/asks") ? "No such question" : "No such task");

    const { pathname, search } = new URL(c.req.url);
    const view = { title: made.title, address: pathname + search, now, tag: tagOf(seq, now, made.changesAt) };
    const polled = c.req.header("HX-Request") === "true";
    const page = polled ? (
      <Fragment view={view}>{made.body}</Fragment>
    ) : (
      <Page view={view} hqUrl={hqUrl}>
        {made.body}
      </Page>
    );
    return c.html(polled ? page : `<!doctype html>${page}`, 200, { ...headers, ETag: view.tag });
  }

  for (const panel of panels) app.get(panel.path, (c) => screen(c, panel));

  app.get("/tasks/:id/diff", async (c) => {
    if (!(await door.open(c))) return closed(c);
    const id = c.req.param("id");
    const patch = /^[A-Za-z0-9_-]{1,64}$/.test(id) ? await answered(loadPatch(db, id)) : null;
    if (patch === null) return missing(c, "No such task");
    const disposition = `attachment; filename="${id}.diff"`;
    return c.body(patch, 200, { ...headers, "Content-Type": "text/plain; charset=utf-8", "Content-Disposition": disposition });
  });

  app.post("/asks/:id", bodyLimit({ maxSize: maxFormBytes, onError: tooLarge }), async (c) => {
    if (!(await door.open(c))) return closed(c);
    if (!fromOwnPage(c.req.raw)) return strange(c);
    const { option } = await c.req.parseBody();
    const id = c.req.param("id");
    if (!deps.answer) return notice(c, 403, "Refused", <p>These pages are a read-only copy: answer at headquarters, or in the chat.</p>);
    if (!questionIdPattern.test(id) || typeof option !== "string") return missing(c, "No such question");
    const { outcome, text } = await deps.answer(id, option);
    if (outcome === "answered") return c.redirect(`/asks/${id}`, 303);
    const there = outcome === "unknown" ? <a href="/">The corporation</a> : <a href={`/asks/${id}`}>The question as it is now</a>;
    return notice(
      c,
      outcome === "late" ? 409 : 404,
      outcome === "late" ? "This came too late" : "No such answer",
      <p>
        {text} {there}
      </p>,
    );
  });

  // It asks, and does nothing: the question's own page has the buttons that do.
  app.post("/tasks/:id/follow-up", bodyLimit({ maxSize: maxFormBytes, onError: tooLarge }), async (c) => {
    if (!(await door.open(c))) return closed(c);
    if (!fromOwnPage(c.req.raw)) return strange(c);
    const form = await c.req.parseBody();
    const id = c.req.param("id");
    const deed = followDos.find((one) => one === form.do);
    if (!deps.followUp) return notice(c, 403, "Refused", <p>These pages are a read-only copy: ask at headquarters, or in the chat.</p>);
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(id) || !deed) return missing(c, "No such task");
    const { question, text } = await deps.followUp(id, deed);
    if (question) return c.redirect(`/asks/${question.id}`, 303);
    return notice(
      c,
      409,
      "That can't be done",
      <p>
        {text} <a href={`/tasks/${id}`}>The task</a>
      </p>,
    );
  });

  // Opening the link changes nothing, so that link previews and prefetching can't use it up: the button does.
  app.get("/login", (c) => {
    const token = c.req.query("t");
    if (token === undefined) return closed(c);
    return notice(
      c,
      200,
      "Corporation View",
      <form method="post" action="/login">
        <p>This link works once, in this browser, and opens the view for 12 hours.</p>
        <input type="hidden" name="t" value={token} />
        <input type="hidden" name="next" value={ownPath(c.req.query("next"))} />
        <button class="primary" type="submit">
          Open the Corporation View
        </button>
      </form>,
    );
  });

  app.post("/login", bodyLimit({ maxSize: maxFormBytes, onError: tooLarge }), async (c) => {
    if (!fromOwnPage(c.req.raw)) return strange(c);
    const form = await c.req.parseBody();
    const token = typeof form.t === "string" ? form.t : "";
    if (!(await door.enter(c, token))) return closed(c, `This link was used already, or is too old. ${signIn}`);
    return c.redirect(ownPath(typeof form.next === "string" ? form.next : undefined), 303);
  });

  app.post("/logout", async (c) => {
    if (!fromOwnPage(c.req.raw)) return strange(c);
    await door.leave(c);
    return c.redirect("/login", 303);
  });

  app.notFound((c) =>
    notice(
      c,
      404,
      "No such page",
      <p>
        Nothing is served under this address. <a href="/">The Corporation View</a>
      </p>,
    ),
  );
  app.onError((error, c) => {
    const status = error instanceof UacError ? error.status : 500;
    deps.log?.error("dashboard: page failed", { path: c.req.path, status, error });
    return notice(c, status, "This page can't be shown", <p>{publicMessage(error)}</p>);
  });

  return app;
}

function tooLarge(c: Context) {
  return notice(c, 413, "Refused", <p>This form is larger than the login form can be.</p>);
}

function strange(c: Context) {
  const text = "This form was sent by another site, or by a program. Open the page here and press its button.";
  return notice(c, 403, "Refused", <p>{text}</p>);
}

function notice(c: Context, status: 200 | 401 | 403 | 404 | 409 | UacError["status"], title: string, body: Child) {
  return c.html(`<!doctype html>${<Notice title={title}>{body}</Notice>}`, status, headers);
}
