import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ManualClock, manualClock } from "#adapters/clock/manual.ts";
import { sha256 } from "../../dashboard/gate.ts";
import { type Seeded, seeded } from "./seed.ts";

const token = "one-time-token-of-this-test-1234";
const now = Date.UTC(2026, 10, 23, 12, 0, 0);
const site = "https://hq.example";
let clock: ManualClock;
let here: Seeded;
beforeEach(async () => {
  clock = manualClock(now);
  here = await seeded(clock);
  await here.store.access.addLogin(await sha256(token), now + 600_000);
});
afterEach(() => here.close());

interface Posted {
  body?: Record<string, string>;
  headers?: Record<string, string>;
  at?: string;
}
const post = (path: string, { body = {}, headers = { "sec-fetch-site": "same-origin" }, at = site }: Posted = {}) =>
  here.app.request(`${at}${path}`, { method: "POST", body: new URLSearchParams(body), headers });
const enter = (extra: Posted = {}) => post("/login", { ...extra, body: { t: token, ...extra.body } });
const cookieOf = (response: Response) => (response.headers.get("set-cookie") ?? "").split(";")[0] ?? "";

describe("without a session", () => {
  it("every page is closed and says how to get in", async () => {
    await here.insert.task({ id: "t_1", title: "Secret plan", receipt: {} });
    for (const path of ["/", "/tasks", "/tasks/t_1", "/tasks/t_1/diff", "/tasks/none"]) {
      const response = await here.app.request(`${site}${path}`);
      expect(response.status, path).toBe(401);
      const html = await response.text();
      expect(html).toContain("Send /view to Simone");
      expect(html).not.toContain("Secret plan");
    }
  });

  it("a cookie that nobody gave out opens nothing", async () => {
    for (const cookie of ["__Host-uac=", "__Host-uac=guess", `__Host-uac=${token}`, "uac=session-of-the-tests"]) {
      expect((await here.app.request(`${site}/`, { headers: { cookie } })).status, cookie).toBe(401);
    }
  });
});

describe("a login link", () => {
  it("opens the view by its button, once", async () => {
    const page = await here.app.request(`${site}/login?t=${token}`);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain(`name="t" value="${token}"`);

    const entered = await enter();
    expect(entered.status).toBe(303);
    expect(entered.headers.get("location")).toBe("/");
    const cookie = entered.headers.get("set-cookie") ?? "";
    for (const part of ["__Host-uac=", "Path=/", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=43200"]) expect(cookie).toContain(part);
    expect(cookie).not.toContain("Domain");
    expect((await here.app.request(`${site}/`, { headers: { cookie: cookieOf(entered) } })).status).toBe(200);

    const again = await enter();
    expect(again.status).toBe(401);
    expect(again.headers.get("set-cookie")).toBeNull();
    expect(await again.text()).toContain("used already, or is too old");
  });

  it("is not used up by looking at it, as link previews do", async () => {
    for (let i = 0; i < 3; i++) await here.app.request(`${site}/login?t=${token}`);
    await here.app.request(`${site}/login?t=${token}`, { method: "HEAD" });
    expect((await enter()).status).toBe(303);
  });

  it("lets one of many at the same moment in", async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => enter()));
    expect(answers.map((answer) => answer.status).toSorted()).toEqual([303, ...Array(7).fill(401)]);
  });

  it("is refused when it is too old, unknown or malformed", async () => {
    for (const t of ["another-token-of-this-test-123", "", "short", `${token}\n`, "x".repeat(300)]) {
      expect((await enter({ body: { t } })).status, t).toBe(401);
    }
    expect((await post("/login", { body: { t: token, filler: "x".repeat(5000) } })).status).toBe(413);
    await clock.advance(600_001);
    expect((await enter()).status).toBe(401);
  });

  it("gives a plain cookie on this machine's own http address alone", async () => {
    const entered = await enter({ at: "http://localhost:8787" });
    expect(entered.headers.get("set-cookie")).toMatch(/^uac=(?!.*Secure)/);
    const cookie = cookieOf(entered);
    expect((await here.app.request("http://localhost:8787/", { headers: { cookie } })).status).toBe(200);
    expect((await here.app.request(`${site}/`, { headers: { cookie } })).status).toBe(401);
  });
});

it("a session ends after twelve hours", async () => {
  const cookie = cookieOf(await enter());
  await clock.advance(12 * 3_600_000 - 1);
  expect((await here.app.request(`${site}/`, { headers: { cookie } })).status).toBe(200);
  await clock.advance(2);
  expect((await here.app.request(`${site}/`, { headers: { cookie } })).status).toBe(401);
});

it("signing out ends the session at headquarters, not only in the browser", async () => {
  const cookie = cookieOf(await enter());
  const left = await post("/logout", { headers: { cookie, "sec-fetch-site": "same-origin" } });
  expect(left.status).toBe(303);
  expect(left.headers.get("set-cookie")).toMatch(/^__Host-uac=;.*Max-Age=0/);
  expect((await here.app.request(`${site}/`, { headers: { cookie } })).status).toBe(401);
});

describe("row 44: a form from elsewhere", () => {
  const strangers: Record<string, string>[] = [
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "none" },
    { "sec-fetch-site": "cross-site", origin: site },
    { origin: "https://evil.example" },
    { origin: "https://hq.example.evil.example" },
    { origin: "null" },
    {},
  ];
  it.each(strangers)("%o is refused and uses nothing up", async (headers) => {
    expect((await enter({ headers })).status).toBe(403);
    const cookie = cookieOf(await enter());
    expect((await post("/logout", { headers: { ...headers, cookie } })).status).toBe(403);
    expect((await here.app.request(`${site}/`, { headers: { cookie } })).status).toBe(200);
  });

  it("a browser without fetch metadata is known by its origin", async () => {
    expect((await enter({ headers: { origin: site } })).status).toBe(303);
  });
});

it.each([
  ["/tasks/t_1", "/tasks/t_1"],
  ["/tasks?state=failed", "/tasks?state=failed"],
  ["https://evil.example", "/"],
  ["//evil.example", "/"],
  ["/\\evil.example", "/"],
  ["/%0d%0aSet-Cookie:x", "/"],
  ["/x\r\nSet-Cookie: a=b", "/"],
  ["javascript:alert(1)", "/"],
])("row 45: after the login %j leads to %s", async (next, target) => {
  const page = await (
    await here.app.request(`${site}/login?t=${token}&next=${encodeURIComponent(next)}&gatewayUrl=https://evil.example`)
  ).text();
  expect(page).toContain(`name="next" value="${target}"`);
  expect(page).not.toContain("evil.example");
  expect((await enter({ body: { next } })).headers.get("location")).toBe(target);
});
