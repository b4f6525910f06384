/** What others wrote stays text, and what every answer carries. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manualClock } from "#adapters/clock/manual.ts";
import { UacError } from "#core/errors.ts";
import type { Log } from "#ports/log.ts";
import { dashboardApp } from "../../dashboard/app.tsx";
import type { DashboardDb } from "../../dashboard/db.ts";
import { type Seeded, seeded } from "./seed.ts";

const now = Date.UTC(2026, 10, 23, 12, 0, 0);
let here: Seeded;
beforeEach(async () => {
  here = await seeded(manualClock(now));
});
afterEach(() => here.close());

const evil = `<img src=x onerror="alert(1)"></pre><script>alert('2')</script>" onmouseover="alert(3)`;
const escaped = "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;";

describe("row 46: markup in what others wrote", () => {
  it("is text wherever a task shows it", async () => {
    const run = { command: evil, exitCode: 1, durationMs: 1, tail: evil };
    await here.insert.task({
      id: "t_evil",
      state: "succeeded",
      title: evil,
      instruction: evil,
      summary: evil,
      reason: evil,
      log: evil,
      workspace: evil,
      persona: evil,
      factory: evil,
      receipt: {
        why: evil,
        branch: evil,
        base: evil.slice(0, 64),
        commands: [run].map(({ tail: _, ...rest }) => rest),
        testsBefore: run,
        testsAfter: run,
        testsOfBase: run,
        flags: [{ kind: "tests_deleted", text: evil }],
        limitsHit: [evil.slice(0, 64)],
        patch: `diff --git a/${evil} b/${evil}\n--- a/x\n+++ b/x\n@@ -1 +1 @@ ${evil}\n-${evil}\n+${evil}\n`,
      },
    });
    await here.insert.attempt({ task: "t_evil", routeReason: evil, reason: evil, factory: evil, persona: evil, outcome: evil });
    await here.insert.event({ task: "t_evil", kind: evil, text: evil, factory: evil, persona: evil });
    await here.insert.usage({ id: "usage-evil", task: "t_evil", model: evil, persona: evil });
    for (const path of ["/tasks/t_evil", "/tasks", "/", "/tasks?factory=%3Cscript%3Ealert(1)"]) inert(await here.text(path));
    expect((await here.text("/tasks/t_evil")).split(escaped).length).toBeGreaterThan(18);
  });

  it("is text wherever the corporation shows it", async () => {
    const personas = { primary: evil.slice(0, 60), coder: evil.slice(0, 60), general: evil.slice(0, 60) };
    await here.insert.factory({
      id: "desk-1",
      name: evil,
      statusReason: evil,
      facts: { personas, model: evil, workspaces: [evil.slice(0, 60)] },
    });
    await here.insert.incident({ kind: evil, factory: evil, text: evil });
    await here.insert.order({ task: "t_1", attempts: 9, error: evil });
    await here.insert.usage({ id: "usage-evil", factory: evil });
    const html = await here.text("/");
    inert(html);
    expect(html.split("&lt;img src=x").length).toBeGreaterThan(9);
  });

  it("is text in the address and in a login token", async () => {
    inert(await here.text(`/login?t=${encodeURIComponent(evil)}`));
    inert(await here.text(`/tasks?x=${encodeURIComponent(evil)}`));
  });

  function inert(html: string) {
    expect(html).not.toMatch(/<img|<script>|<script(?! src="\/assets\/)/);
    // Inside an attribute no quote of it may end the attribute.
    expect(html).not.toMatch(/\sonerror="|\sonmouseover="/);
    expect(html).not.toMatch(/\sstyle="|javascript:/);
  }
});

it("writes out characters that would hide or reorder what is read, and drops terminal colours", async () => {
  const command = "rm -rf /\u202e # txt.exe\u200b";
  await here.insert.task({
    id: "t_1",
    state: "succeeded",
    receipt: { commands: [{ command, exitCode: 0, durationMs: 1 }] },
    log: "\u001b[31mred\u001b[0m",
  });
  const html = await here.text("/tasks/t_1");
  expect(html).toContain("rm -rf /⟨U+202E⟩ # txt.exe⟨U+200B⟩");
  expect(html).toContain(">red</pre>");
});

it("carries the same guards on every answer", async () => {
  await here.insert.task({ id: "t_1", receipt: {} });
  const paths = ["/", "/tasks", "/tasks/t_1", "/tasks/t_1/diff", "/tasks/none", "/login", "/login?t=abc", "/nothing"];
  const answers = [
    ...(await Promise.all(paths.map((path) => here.get(path)))),
    await here.app.request("/"),
    await here.app.request("/login", { method: "POST" }),
    await here.app.request("/logout", { method: "POST" }),
  ];
  for (const { headers, status } of answers) {
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy, String(status)).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
  }
});

describe("a database that does not answer", () => {
  const log: Log & { lines: unknown[] } = {
    lines: [],
    debug() {},
    info() {},
    warn() {},
    error: (...line) => log.lines.push(line),
    with: () => log,
  };
  const broken: DashboardDb = {
    select: () => {
      throw new Error("connect ECONNREFUSED libsql://secret-host?authToken=hunter2");
    },
    batch: () => Promise.reject(new Error("no")),
  };

  it("is a 503 that tells nothing of the inside", async () => {
    const app = dashboardApp({ db: broken, access: here.store.access, clock: manualClock(now), hqUrl: null, log });
    const response = await app.request("/", { headers: { cookie: here.cookie } });
    expect(response.status).toBe(503);
    const html = await response.text();
    expect(html).toContain("does not answer");
    expect(html).not.toContain("hunter2");
    expect(JSON.stringify(log.lines)).toContain('"status":503');
  });

  it("is a 503 without a session too, never an open door", async () => {
    const access = { ...here.store.access, session: () => Promise.reject(new UacError("store_unavailable", "The database failed.")) };
    const app = dashboardApp({ db: broken, access, clock: manualClock(now), hqUrl: null });
    expect((await app.request("/", { headers: { cookie: here.cookie } })).status).toBe(503);
  });
});
