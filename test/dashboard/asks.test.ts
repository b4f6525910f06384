/** What the owner is asked, on the pages: shown, answered by a form, and safe from other sites. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { answerQuestion } from "#factory/answer-owner.ts";
import { delegate } from "#factory/delegate.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import { dashboardApp } from "../../dashboard/app.tsx";
import { dashboardDb } from "../../dashboard/db.ts";
import { sha256 } from "../../dashboard/gate.ts";
import { type HqBench, openHq, wish } from "../factory/headquarters.ts";

let b: HqBench;
let app: ReturnType<typeof dashboardApp>;
const cookie = "uac=session-of-the-tests";
const evil = `<img src=x onerror="alert(1)">`;

beforeEach(async () => {
  b = await openHq();
  await b.store.access.addLogin("login", b.clock.now() + 1000);
  const session = { hash: await sha256("session-of-the-tests"), expiresAt: b.clock.now() + 1e12 };
  await b.store.access.redeemLogin("login", session, b.clock.now());
  app = appWith({ hqUrl: null, answers: true });
  await b.join("desk-1");
  await b.clock.advance(20 * 60_000);
});
afterEach(() => b.close());

function appWith({ hqUrl, answers }: { hqUrl: string | null; answers: boolean }) {
  const answer = (id: string, option: string) => answerQuestion(b.hq, { id, option, by: "the owner", via: "dashboard" });
  return dashboardApp({ db: dashboardDb(b.client), access: b.store.access, clock: b.clock, hqUrl, ...(answers && { answer }) });
}

const get = (path: string, from = app) => from.request(path, { headers: { cookie } });
const text = async (path: string, from = app) => (await get(path, from)).text();
const same = { cookie, "sec-fetch-site": "same-origin" };
const post = (path: string, body: Record<string, string>, headers: Record<string, string> = same, to = app) =>
  to.request(path, { method: "POST", body: new URLSearchParams(body), headers });
const state = async () => (await b.task()).state;

describe("an ask", () => {
  it("stands on the first page and on its task's, with a form whose buttons are its options", async () => {
    await delegate(b.hq, wish());
    for (const path of ["/", "/tasks/t1-1-1", "/asks/q1"]) {
      const html = await text(path);
      expect(html, path).toContain("Fix the tests – held: desk-1 is offline");
      expect(html, path).toContain('<form method="post" action="/asks/q1"');
      for (const key of ["wait", "wait-1h", "wait-8h", "cancel"])
        expect(html, path).toMatch(new RegExp(`type="submit" name="option" value="${key}"`));
    }
    expect(await text("/")).toMatch(/<title>\(\d\) Corporation/);
    expect(await text("/"), "it is no problem besides").not.toContain('id="held-t1-1-1"');
  });

  it("is answered by its form, and the page it leads to says so", async () => {
    await delegate(b.hq, wish());
    const response = await post("/asks/q1", { option: "cancel" });
    expect([response.status, response.headers.get("location")]).toEqual([303, "/asks/q1"]);
    expect(await state()).toBe("cancelled");
    const page = await text("/asks/q1");
    expect(page).toContain("Cancel it, by the owner from the dashboard at ");
    expect(page).not.toContain('<form method="post" action="/asks');
    expect(await text("/")).not.toContain('id="asks"');
    expect(await text("/tasks/t1-1-1")).toContain("Cancel it, by the owner from the dashboard at ");
  });

  it("that was answered before says by whom, and changes nothing", async () => {
    await delegate(b.hq, wish());
    await answerQuestion(b.hq, { id: "q1", option: "wait", by: "Ann", via: "telegram" });
    const before = await b.snapshot();
    const response = await post("/asks/q1", { option: "cancel" });
    expect(response.status).toBe(409);
    expect(await response.text()).toContain("Already answered: Wait without limit, by Ann in the chat");
    expect(await b.snapshot()).toEqual(before);
  });

  it("that settled itself says so", async () => {
    const { task } = await delegate(b.hq, wish());
    await (await b.join("desk-1")).beat();
    await dispatchAll(b.hq);
    expect((await b.task(task.id)).state).toBe("dispatched");
    expect(await (await post("/asks/q1", { option: "cancel" })).text()).toContain("desk-1 has it now");
    expect(await text("/tasks/t1-1-1")).toContain("settled by itself: desk-1 has it now");
  });

  it.each([
    ["/asks/q9", { option: "wait" }, 404],
    ["/asks/q1", { option: "explode" }, 404],
    ["/asks/q1", {}, 404],
    ["/asks/%2e%2e", { option: "wait" }, 404],
    ["/asks/q1", { option: "x".repeat(5000) }, 413],
  ])("%s with %o is refused", async (path, body, status) => {
    await delegate(b.hq, wish());
    const before = await b.snapshot();
    expect((await post(path, body as Record<string, string>)).status).toBe(status);
    expect(await b.snapshot()).toEqual(before);
  });

  it("is text, whatever others named what it is about", async () => {
    await delegate(b.hq, wish({ title: evil, workspace: evil, factory: null }));
    for (const path of ["/", "/tasks/t1-1-1", "/asks/q1"]) {
      const html = await text(path);
      expect(html, path).toContain("&lt;img src=x");
      expect(html, path).not.toMatch(/<img|\sonerror="/);
    }
  });

  it("of a later version is left out", async () => {
    await delegate(b.hq, wish());
    await b.client.execute("update questions set kind = 'of-tomorrow'");
    expect([await text("/"), (await get("/asks/q1")).status]).toEqual([expect.not.stringContaining('id="asks"'), 404]);
  });
});

describe("nobody answers for the owner", () => {
  it.each<[string, Record<string, string>, number]>([
    ["without a session", { "sec-fetch-site": "same-origin" }, 401],
    ["with a session that nobody gave out", { cookie: "uac=guess", "sec-fetch-site": "same-origin" }, 401],
    ["from another site", { cookie, "sec-fetch-site": "cross-site" }, 403],
    ["from a neighbour", { cookie, "sec-fetch-site": "same-site" }, 403],
    ["from another origin", { cookie, origin: "https://evil.example" }, 403],
    ["from a program that says nothing", { cookie }, 403],
  ])("%s", async (_, headers, status) => {
    await delegate(b.hq, wish());
    const before = await b.snapshot();
    expect((await post("/asks/q1", { option: "cancel" }, headers)).status).toBe(status);
    expect(await b.snapshot()).toEqual(before);
    expect((await app.request("/asks/q1")).status, "nor reads what is asked").toBe(401);
  });

  it("by looking at an address", async () => {
    await delegate(b.hq, wish());
    await get("/asks/q1?option=cancel");
    expect(await state()).toBe("held");
  });
});

describe("a read-only copy", () => {
  it("shows the same, and leads to headquarters instead of answering", async () => {
    await delegate(b.hq, wish());
    const copy = appWith({ hqUrl: "https://hq.example", answers: false });
    for (const path of ["/", "/tasks/t1-1-1", "/asks/q1"]) {
      const html = await text(path, copy);
      expect(html, path).toContain("Fix the tests – held: desk-1 is offline");
      expect(html, path).toContain('href="https://hq.example/asks/q1"');
      expect(html, path).not.toContain('action="/asks');
    }
    expect((await post("/asks/q1", { option: "cancel" }, same, copy)).status).toBe(403);
    expect(await state()).toBe("held");
    await post("/asks/q1", { option: "wait" });
    expect(await text("/asks/q1", copy)).toContain("Wait without limit, by the owner from the dashboard");
  });
});
