import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ManualClock, manualClock } from "#adapters/clock/manual.ts";
import { type Seeded, seeded } from "./seed.ts";

const now = Date.UTC(2026, 10, 23, 12, 0, 0);
let clock: ManualClock;
let here: Seeded;
beforeEach(async () => {
  clock = manualClock(now);
  here = await seeded(clock);
});
afterEach(() => here.close());

const poll = (path: string, tag: string) => here.get(path, { "HX-Request": "true", "If-None-Match": tag });
const tagOf = async (path: string) => (await here.get(path)).headers.get("etag") ?? "";

describe("a poll", () => {
  it("is answered 304 without a body while nothing changed", async () => {
    await here.insert.factory({ id: "desk-1" });
    for (const path of ["/", "/tasks"]) {
      const unchanged = await poll(path, await tagOf(path));
      expect(unchanged.status, path).toBe(304);
      expect(await unchanged.text()).toBe("");
    }
  });

  it("is answered with the content alone when something changed", async () => {
    const tag = await tagOf("/");
    await here.insert.factory({ id: "desk-1" });
    await here.insert.changed();
    const changed = await poll("/", tag);
    expect(changed.status).toBe(200);
    const html = await changed.text();
    expect(html).toMatch(/^<title>Corporation · UAC<\/title><main id="view"/);
    expect(html).toContain("desk-1");
    expect(html).not.toContain("<head>");
    expect(html).toContain(`data-tag="${(changed.headers.get("etag") ?? "").replaceAll('"', "&quot;")}"`);
  });

  it("shows at once what time alone changes: a factory turns stale", async () => {
    await here.insert.factory({ id: "desk-1", lastHeartbeatAt: now - 40_000 });
    const tag = await tagOf("/");
    await clock.advance(5000);
    expect((await poll("/", tag)).status).toBe(304);
    await clock.advance(1);
    const turned = await poll("/", tag);
    expect(turned.status).toBe(200);
    expect(await turned.text()).toContain("1 stale");
  });

  it("is answered in full twice a minute whatever the tag says", async () => {
    const tag = await tagOf("/tasks");
    await clock.advance(29_999);
    expect((await poll("/tasks", tag)).status).toBe(304);
    await clock.advance(1);
    expect((await poll("/tasks", tag)).status).toBe(200);
    for (const forged of ['"0.9999999999999"', "*", "", '"0.x"', 'W/"0.1"'])
      expect((await poll("/tasks", forged)).status, forged).toBe(200);
  });

  it("needs a session like any page", async () => {
    const response = await here.app.request("/", { headers: { "HX-Request": "true", "If-None-Match": await tagOf("/") } });
    expect(response.status).toBe(401);
  });
});

it("fifty factories at work are at most 15 KB of gzip", async () => {
  for (let i = 10; i < 60; i++) {
    const id = `desk-${i}`;
    await here.insert.factory({
      id,
      lastHeartbeatAt: now - i * 700,
      rttMs: 20 + i,
      facts: { workspaces: ["demo", `project-${i}`, "website"] },
    });
    await here.insert.task({
      id: `t_${i}a8k2m4x7q9w3e5`,
      state: "running",
      title: `Task number ${i} of many`,
      factory: id,
      persona: "Lisa",
      step: i,
    });
    await here.insert.usage({ id: `usage-${i}`, factory: id, cost: i * 123_456 });
  }
  const html = await here.text("/");
  expect(html.split('class="card"')).toHaveLength(51);
  expect(gzipSync(html).length).toBeLessThanOrEqual(15 * 1024);
});
