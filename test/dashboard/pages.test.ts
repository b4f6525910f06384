import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manualClock } from "#adapters/clock/manual.ts";
import { defaultCapabilities } from "#core/capability.ts";
import { type Seeded, seeded } from "./seed.ts";

const now = Date.UTC(2026, 10, 23, 12, 0, 0);
let here: Seeded;
beforeEach(async () => {
  here = await seeded(manualClock(now));
});
afterEach(() => here.close());

/** The text a reader sees, without tags. */
const words = (html: string) =>
  html
    .replace(/<(title|head)[\s\S]*?<\/\1>/g, "")
    .replace(/<[^>]+>/g, "")
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">");
const section = (html: string, id: string) => words(html.split(`id="${id}"`)[1]?.split("<h2")[0] ?? "");
const sentence = (html: string) => words(/<h1>(.*?)<\/h1>/s.exec(html)?.[1] ?? "").trim();

describe("the corporation", () => {
  it("tells what to do where there is nothing yet", async () => {
    const html = await here.text("/");
    expect(sentence(html)).toBe("No factories yet · 0 running · $0.00 today");
    expect(words(html)).toContain("Send Simone /enrol desk-1 in the chat.");
    expect(words(html)).toContain("No task yet. Write to Simone");
    expect(html).not.toContain('id="problems"');
  });

  it("says in one sentence how it stands", async () => {
    await here.insert.factory({ id: "desk-1" });
    await here.insert.factory({ id: "desk-2", status: "paused" });
    await here.insert.factory({ id: "old", status: "retired" });
    await here.insert.task({ id: "t_0001", state: "running", factory: "desk-1", persona: "Lisa" });
    await here.insert.task({ id: "t_0002", state: "queued" });
    await here.insert.usage({ id: "usage-1", cost: 4_200_000 });
    await here.insert.usage({ id: "usage-2", cost: 1_000_000_000, recordedAt: now - 24 * 3_600_000 });
    expect(sentence(await here.text("/"))).toBe("1 of 2 factories online · 1 paused · 1 running · 1 queued · $0.0042 today");
  });

  it("keeps heartbeat, round trip and connected-since apart", async () => {
    await here.insert.factory({ id: "desk-1", lastHeartbeatAt: now - 12_000, rttMs: 43, connectedSince: now - 3 * 3_600_000 });
    const card = words((await here.text("/")).split('id="f-desk-1"')[1] ?? "");
    expect(card).toMatch(/Heartbeat\s*12 s ago/);
    expect(card).toMatch(/Round trip\s*43 ms/);
    expect(card).toMatch(/Connected for\s*3 h/);
  });

  it("shows what a factory may do, from the table of flags", async () => {
    await here.insert.factory({ id: "desk-1", facts: { capabilities: { ...defaultCapabilities("branch"), git: false } } });
    const html = await here.text("/");
    expect(html).toContain("VP_CODER: Enabled");
    expect(html).toContain("GIT: Disabled");
    expect(words(html)).toContain("Homer, Lisa, Bart");
    expect(words(html)).toContain("anthropic/a-model · version 0.1.0");
    expect(words(html)).toContain("0/2 slots busy");
    expect(words(html)).toContain("workspaces: demo");
  });

  it("counts a spend that nobody can price as unpriced, not as nothing", async () => {
    await here.insert.factory({ id: "desk-1" });
    await here.insert.usage({ id: "usage-1", cost: null });
    expect(sentence(await here.text("/"))).toContain("unpriced today");
    await here.insert.usage({ id: "usage-2", cost: 500_000_000 });
    expect(sentence(await here.text("/"))).toContain("≥ $0.5000 (1 call unpriced) today");
  });

  it("shows what headquarters itself spent", async () => {
    await here.insert.usage({ id: "usage-1", factory: "hq", persona: "Simone", cost: 1_250_000 });
    expect(words(await here.text("/"))).toContain("Simone at headquarters: $0.0013 today in 1 call");
  });

  it("turns a silent factory stale, then offline, by the clock alone", async () => {
    await here.insert.factory({ id: "fresh", lastHeartbeatAt: now - 45_000 });
    await here.insert.factory({ id: "late", lastHeartbeatAt: now - 45_001 });
    await here.insert.factory({ id: "gone", lastHeartbeatAt: now - 120_001 });
    expect(sentence(await here.text("/"))).toBe("1 of 3 factories online · 1 stale · 1 offline · 0 running · $0.00 today");
  });

  it("survives facts that it can't read", async () => {
    await here.insert.factory({ id: "desk-1", factsJson: '{"capabilities": 3}' });
    await here.insert.factory({ id: "desk-2", factsJson: "not json" });
    expect(words(await here.text("/"))).toContain("It has not told what it can do");
  });

  it("shows fifty factories a page", async () => {
    for (let i = 10; i < 70; i++) await here.insert.factory({ id: `desk-${i}` });
    const first = await here.text("/");
    expect(first.split('class="card"')).toHaveLength(51);
    expect(first).toContain('href="/?from=50"');
    expect((await here.text("/?from=50")).split('class="card"')).toHaveLength(11);
    expect((await here.get("/?from=-3e9")).status).toBe(200);
  });
});

describe("problems", () => {
  const problems = async () => section(await here.text("/"), "problems");

  it("puts a factory that is gone with a task above one that is only gone", async () => {
    await here.insert.factory({ id: "a-gone", lastHeartbeatAt: now - 200_000 });
    await here.insert.factory({ id: "b-leasing", lastHeartbeatAt: now - 200_000 });
    await here.insert.task({ id: "t_1042", state: "running", factory: "b-leasing", title: "Build it" });
    const text = await problems();
    expect(text).toContain("b-leasing is offline but leasing t_1042");
    expect(text.indexOf("b-leasing")).toBeLessThan(text.indexOf("a-gone is offline"));
    const html = await here.text("/");
    expect(html.indexOf('id="f-b-leasing"')).toBeLessThan(html.indexOf('id="f-a-gone"'));
  });

  it("tells of incidents, dropped messages, stuck orders, holds and who asks to join", async () => {
    await here.insert.factory({ id: "new", status: "pending", facts: null, lastHeartbeatAt: null });
    await here.insert.incident({ factory: "desk-1", kind: "dead_letter", text: "not signed" });
    await here.insert.incident({ kind: "old", at: now - 25 * 3_600_000, digest: "e", text: "of yesterday" });
    await here.insert.letter({ key: "l1", droppedAt: now - 1000 });
    await here.insert.letter({ key: "l2", droppedAt: now - 1000, sentAt: now });
    await here.insert.order({ task: "t_0001", attempts: 3, error: "ECONNREFUSED" });
    await here.insert.order({ task: "t_0002", attempts: 1 });
    await here.insert.task({ id: "t_0003", state: "held", title: "Deploy", reason: "no factory is enrolled" });
    const text = await problems();
    expect(text).toContain("5 problems");
    expect(text).toContain("new asks to join");
    expect(text).toContain("Incident: dead letter (desk-1)");
    expect(text).toContain("1 message to the chat dropped");
    expect(text).toContain("1 order can't get onto the bus");
    expect(text).toContain("ECONNREFUSED");
    expect(text).toMatch(/Held Deploy\s*no factory is enrolled/);
    expect(text).not.toContain("of yesterday");
    expect(await here.text("/")).toContain("<title>(5) Corporation · UAC</title>");
  });

  it("tells when the minute tick stands still", async () => {
    await here.store.set("last_tick", String(now - 61_000));
    expect(await problems()).toBe("");
    await here.store.set("last_tick", String(now - 301_000));
    expect(await problems()).toContain("clockwork stands still");
  });
});

describe("the list of tasks", () => {
  it("filters by state and factory, and says what each cost", async () => {
    await here.insert.task({
      id: "t_good",
      state: "succeeded",
      title: "Good one",
      factory: "desk-1",
      persona: "Lisa",
      endedAt: now - 15_000,
    });
    await here.insert.task({ id: "t_dead", state: "dead", title: "Dead one", factory: "desk-2", reason: "given up" });
    await here.insert.usage({ id: "usage-1", task: "t_good", cost: 4_200_000 });
    const all = words(await here.text("/tasks"));
    expect(all).toMatch(/Good one[\s\S]*Lisa @ desk-1 · \$0\.0042 · took 42 s · 57 s ago/);
    const failed = await here.text("/tasks?state=failed");
    expect(failed).toContain("Dead one");
    expect(failed).not.toContain("Good one");
    expect(await here.text("/tasks?factory=desk-1")).not.toContain("Dead one");
    expect(words(await here.text("/tasks?state=held"))).toContain("No task matches");
    expect(await here.text("/tasks?state=constructor")).toContain("Good one");
  });

  it("pages through all of them once, equal times included", async () => {
    for (let i = 0; i < 120; i++) await here.insert.task({ id: `t_${1000 + i}`, createdAt: now - Math.floor(i / 7) * 1000 });
    const seen: string[] = [];
    let path: string | undefined = "/tasks";
    for (let page = 0; path && page < 5; page++) {
      const html: string = await here.text(path);
      seen.push(...[...html.matchAll(/<li id="t-(t_\d+)"/g)].map((match) => match[1] ?? ""));
      path = /href="(\/tasks\?before=[^"]+)"/.exec(html)?.[1];
    }
    expect(seen).toHaveLength(120);
    expect(new Set(seen).size).toBe(120);
  });
});

describe("one task", () => {
  it("shows when the owner wants it, where that is out of the ordinary", async () => {
    await here.insert.task({ id: "t_0001", priority: 1, deadline: Date.UTC(2030, 2, 17, 18), replayOf: "t_0000" });
    await here.insert.task({ id: "t_0002" });
    expect(words(await here.text("/tasks/t_0001"))).toContain("urgent · expires unless begun by 2030-03-17 18:00 UTC · t_0000 again");
    expect(await here.text("/tasks/t_0002")).not.toContain("<dt>Wishes</dt>");
  });

  it("shows the story, the receipt, the diff, the attempts and the bill", async () => {
    await here.insert.task({
      id: "t_0001",
      state: "succeeded",
      reason: "the tests pass",
      title: "Fix sum",
      summary: "The loop began at 1.",
      factory: "desk-1",
      persona: "Lisa",
      endedAt: now - 15_000,
      receipt: {},
      log: "result sent",
    });
    await here.insert.attempt({ task: "t_0001", claimedAt: now - 54_000, endedAt: now - 15_000, outcome: "succeeded" });
    await here.insert.event({ task: "t_0001", at: now - 57_000, kind: "delegated", text: "asked for by the owner" });
    await here.insert.event({ task: "t_0001", at: now - 56_000, kind: "dispatched", text: "desk-1 is free" });
    const call = { task: "t_0001", cacheRead: 5000 };
    await here.insert.usage({ ...call, id: "usage-1", step: 1, cost: 1_000_000 });
    await here.insert.usage({ ...call, id: "usage-2", step: 2, cost: 2_000_000, outcome: "failed" });
    await here.insert.usage({ ...call, id: "usage-3", step: 2, cost: null, source: "missing", at: now - 29_000 });
    const html = await here.text("/tasks/t_0001");

    const head = words(html.split("</dl>")[0] ?? "");
    expect(head).toMatch(/Fix sum\s*succeeded verified the tests pass/);
    expect(head).toContain("Lisa @ desk-1");
    expect(head).toContain("≥ $0.0030 (1 call unpriced)");
    expect(section(html, "said")).toContain("The loop began at 1.");

    const receipt = section(html, "receipt");
    expect(receipt).toContain("verified");
    expect(receipt).toContain("the tests failed before and pass now");
    expect(receipt).toContain("3f2a1b0c9d → 8c1d2e4f5a");
    expect(receipt).toMatch(/Tests before\s*exit 1 npm test 812 ms/);
    expect(receipt).toContain("expected 6, got 5");
    expect(receipt).toContain("2 commands, 1 not ending with 0");

    expect(section(html, "diff")).toContain("src/sum.js +1 −1");
    expect(html).toContain('href="/tasks/t_0001/diff"');

    const timeline = section(html, "timeline");
    expect(timeline).toMatch(/read and delegated\s*3\.0 s/);
    expect(timeline).toMatch(/queued or held\s*1\.0 s/);
    expect(timeline).toMatch(/on the bus\s*2\.0 s/);
    expect(timeline).toMatch(/worked on\s*39 s/);
    expect(timeline).toMatch(/from message to end\s*45 s/);
    expect(timeline).toMatch(/11:59:04\+1\.0 s\s*dispatched desk-1 is free/);

    const bill = section(html, "cost");
    expect(bill).toContain("Why this cost ≥ $0.0030 (1 call unpriced) in 3 calls");
    expect(bill).toContain("Step 2 cost most: ≥ $0.0020 (1 call unpriced) in 2 calls, 67 % of the task (Lisa, a-model).");
    expect(bill).toContain("1 call repeated a step that had one already: unpriced.");
    expect(bill).toMatch(/1\s*\$0\.0010[\s\S]*2\s*≥ \$0\.0020[\s\S]*a-model Lisa · 1 failed · tokens not told whole 2 calls/);
    expect(bill).toMatch(/Total≥ \$0\.0030 \(1 call unpriced\)3,60015,00090072077 %/);
    expect(section(html, "log")).toContain("result sent");
  });

  it("shows what was seen of the tests, and the run of those that were there before", async () => {
    const flags = [
      { kind: "tests_skipped" as const, text: "tests are skipped that were not: test/sum.test.js" },
      { kind: "edited_after_tests" as const, text: "Lisa ran no tests after the last edit" },
    ];
    const testsOfBase = { command: "npm test", exitCode: 1, durationMs: 802, tail: "not ok", counted: { ran: 4, skipped: 1 } };
    await here.insert.task({ id: "t_0001", state: "failed", receipt: { verdict: "unverified", flags, testsOfBase } });
    const html = await here.text("/tasks/t_0001");
    const receipt = section(html, "receipt");
    expect(receipt).toMatch(/doubt\s*tests are skipped that were not: test\/sum\.test\.js\s*note\s*Lisa ran no tests after the last edit/);
    expect(receipt).toMatch(/The earlier tests, after\s*exit 1 npm test 802 ms\s*4 tests ran, 1 skipped/);
    await here.insert.task({ id: "t_0002", state: "succeeded", receipt: {} });
    expect(await here.text("/tasks/t_0002")).not.toMatch(/What was seen of the tests|The earlier tests/);
  });

  it("totals all calls where it can't show all", async () => {
    await here.insert.task({ id: "t_0001", state: "running" });
    for (let i = 0; i < 230; i++) await here.insert.usage({ id: `usage-${i}`, task: "t_0001", step: i, cost: 10_000_000 });
    const html = await here.text("/tasks/t_0001");
    expect(section(html, "cost")).toContain("the last 200 steps are shown");
    expect(section(html, "cost")).toContain("Total$2.30");
    expect(html).toContain('id="s-1-229"');
    expect(html).not.toContain('id="s-1-29"');
  });

  it("says plainly that nothing was measured", async () => {
    await here.insert.task({ id: "t_0001", state: "failed", reason: "no receipt" });
    expect(words(await here.text("/tasks/t_0001"))).toContain("nothing was measured, so nothing is claimed");
    await here.insert.task({ id: "t_0002", state: "failed", receiptJson: '{"verdict":"splendid"}' });
    expect(words(await here.text("/tasks/t_0002"))).toContain("A receipt is stored that this version can't read");
  });

  it("says where a patch is that was too large", async () => {
    await here.insert.task({ id: "t_0001", state: "succeeded", factory: "desk-1", receipt: { patch: null } });
    expect(section(await here.text("/tasks/t_0001"), "diff")).toContain("Too large for the bus: it is on desk-1, branch uac/t_0001-1");
    expect((await here.get("/tasks/t_0001/diff")).status).toBe(404);
  });

  it("gives the whole patch as a download", async () => {
    const long = `diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1,3000 @@\n${"+line\n".repeat(3000)}`;
    await here.insert.task({ id: "t_0001", state: "succeeded", receipt: { patch: long } });
    const html = await here.text("/tasks/t_0001");
    expect(html.split("+line")).toHaveLength(800);
    expect(words(html)).toContain("2201 more lines not shown");
    const download = await here.get("/tasks/t_0001/diff");
    expect(download.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(download.headers.get("content-disposition")).toBe('attachment; filename="t_0001.diff"');
    expect(await download.text()).toBe(long);
  });

  it("answers 404 for a task, a page or a diff that is not there", async () => {
    for (const path of ["/tasks/t_none", "/tasks/t_none/diff", "/tasks/..%2f..%2fx/diff", "/nothing"]) {
      expect((await here.get(path)).status, path).toBe(404);
    }
  });
});
