/** Headquarters under Node, as a real process: what the Worker's runtime does for the Worker, this program must do itself. */
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startHrana } from "../../dev/hrana.ts";
import { openNodeHeadquarters } from "../../hq-worker/compose-node.ts";
import { until } from "../e2e/until.ts";
import { openProgram, type Program } from "./program.ts";

const mission = "The tests of the demo shop fail. Fix them.";
let p: Program;
beforeEach(async () => {
  p = await openProgram();
});
afterEach(() => p.close());

const answerTo = (message: number) => until(`an answer to ${message}`, () => p.answers(message)[0]);
const updates = () => p.rows("select id, chat, attempts, outcome, started_at, finished_at from inbound_updates order by id");

/** What must hold of the mission's turn, however often its process ended: one task, one answer. */
async function expectOneOfEach(message: number) {
  await answerTo(message);
  // A later command is answered later: then everything of the turn has been said.
  const later = p.message("/tasks");
  await p.post(later);
  await answerTo(later.message.message_id);
  expect(p.answers(message)).toHaveLength(1);
  expect(await p.rows("select id from tasks")).toHaveLength(1);
  expect(await p.rows("select turn from conversations")).toHaveLength(1);
}

describe("a message", () => {
  it("is answered once, however often it comes; pages and their files are served", async () => {
    await p.start();
    const hello = p.message("Hello");
    expect(await Promise.all(Array.from({ length: 5 }, () => p.post(hello)))).toEqual([200, 200, 200, 200, 200]);
    expect((await answerTo(hello.message.message_id)).text).toContain("Simone @ HQ");
    expect(await p.post(hello)).toBe(200);
    const later = p.message("/tasks");
    await p.post(later);
    await answerTo(later.message.message_id);
    expect(p.answers(hello.message.message_id)).toHaveLength(1);
    expect(p.model.requests).toHaveLength(1);

    const page = await fetch(`${p.url}/`);
    expect(page.status).toBe(401);
    const [sheet] = /\/assets\/[^"]+\.css/.exec(await page.text()) ?? [];
    const file = await fetch(`${p.url}${sheet}`);
    expect(file.headers.get("content-type")).toContain("text/css");
    expect(file.headers.get("cache-control")).toContain("immutable");
    expect((await fetch(`${p.url}/assets/..%2f..%2fpackage.json`)).status).toBe(404);
  });

  it("waits for the one before it in its chat, and for no other chat's", async () => {
    await p.start();
    p.model.behave("slow:1500");
    const [first, second, other] = [p.message("Hello"), p.message("Hello again"), p.message("Hello too", p.owner + 1)];
    await Promise.all([first, second, other].map(p.post));
    await until("all are answered", async () => (await updates()).filter(({ outcome }) => outcome === "answered").length === 3, 20_000);
    const [a, b, c] = (await updates()).map((row) => ({ began: Number(row.started_at), ended: Number(row.finished_at) }));
    if (!a || !b || !c) throw new Error("there are three");
    expect(b.began).toBeGreaterThanOrEqual(a.ended);
    expect(c.began).toBeLessThan(a.ended);
    expect(a.began).toBeLessThan(c.ended);
  });
});

describe("a turn goes on", () => {
  it("after kill -9, from what was stored: the call that was cut off is made again, and nothing else", async () => {
    const killed = await p.start();
    const { message, ...update } = p.message(mission);
    p.model.behave("slow:2000");
    expect(await p.post({ message, ...update })).toBe(200);
    await until("the second call of the turn", () => p.model.requests.length === 2);
    killed.kill();
    expect(await killed.exited).toBe("SIGKILL");
    p.model.behave("honest");
    await p.start();
    await expectOneOfEach(message.message_id);
    expect((await updates())[0]).toMatchObject({ attempts: 2, outcome: "answered" });
    expect(p.model.requests).toHaveLength(4);
  });

  it("after SIGTERM: it pauses at its next step, the program ends by itself, and no call is made twice", async () => {
    const first = await p.start();
    const { message, ...update } = p.message(mission);
    p.model.behave("slow:2000");
    await p.post({ message, ...update });
    await until("the second call of the turn", () => p.model.requests.length === 2);
    process.kill(first.pid, "SIGTERM");
    await until("no more requests are taken", () =>
      fetch(`${p.url}/health`).then(
        () => false,
        () => true,
      ),
    );
    expect(p.model.requests).toHaveLength(2);
    expect(await first.exited).toBe("exit code 0");
    expect(await p.log()).not.toContain("cut off");
    expect(p.model.requests).toHaveLength(2);
    expect((await updates())[0]).toMatchObject({ attempts: 0, outcome: null });
    p.model.behave("honest");
    await p.start();
    await expectOneOfEach(message.message_id);
    expect(p.model.requests).toHaveLength(3);
  });
});

it("can be composed with something around what the verbs are given, at the desks too; at rest it begins nothing more", async () => {
  const asked: number[] = [];
  const opened = await openNodeHeadquarters(p.env, (hq) => {
    const begin = async (chat: number) => {
      asked.push(chat);
      return null;
    };
    return { ...hq, store: { ...hq.store, updates: { ...hq.store.updates, begin } } };
  });
  try {
    expect(opened.hq.callsLeft()).toBe(Number.POSITIVE_INFINITY);
    await opened.desks.ring(7);
    await until("the desk asked", () => asked.length === 1);
    await opened.rest();
    await opened.desks.ring(8);
    expect(asked).toEqual([7]);
    expect(opened.hq.callsLeft()).toBe(0);
  } finally {
    await opened.close();
  }
});

describe("a start that can't be", () => {
  const refused = async (changed: Record<string, string>) => {
    const how = await p.launch(changed).exited;
    await until("its words", async () => (await p.log()) !== "");
    return { how, said: await p.log() };
  };

  it("tells of everything that is wrong at once, without a secret, and ends with 2", async () => {
    const wrong = { TELEGRAM_BOT_TOKEN: "secret-but-no-token", PUBLIC_URL: "", PORT: "99999", HOST: "a b", TASK_BUDGET_USD: "much" };
    const { how, said } = await refused(wrong);
    expect(how).toBe("exit code 2");
    for (const name of Object.keys(wrong)) expect(said).toContain(`- ${name} `);
    expect(said).not.toContain("secret-but");
    expect(said.trim().split("\n")).toHaveLength(6);
  });

  it.each([
    ["a bus of an unknown kind", { BUS_URL: "carrier-pigeon://roof" }, "BUS_URL has the unknown scheme"],
    ["a database file that can't be", { DATABASE_URL: "file:/no/such/folder/hq.db" }, "DATABASE_URL: the file can't be used"],
    ["an address of another machine", { HOST: "192.0.2.1" }, "HOST and PORT (192.0.2.1"],
  ])("ends with 2 for %s", async (_, changed, words) => {
    const { how, said } = await refused(changed);
    expect(how).toBe("exit code 2");
    expect(said).toContain(words);
    expect(said).not.toContain("    at ");
  });

  it("ends with 2 for a database server without our tables, and makes none there; with 1 for one that is away", async () => {
    const server = await startHrana({ file: join(p.dir, "server.db"), token: "t" });
    try {
      const on = { DATABASE_URL: server.url, DATABASE_AUTH_TOKEN: "t" };
      const { how, said } = await refused(on);
      expect(how).toBe("exit code 2");
      expect(said).toMatch(/tables are missing or older than this version \(\d+ to go\)\. Run: npm run migrate/);
      const client = createClient({ url: server.url, authToken: "t" });
      expect((await client.execute("select name from sqlite_master")).rows).toEqual([]);
      client.close();
    } finally {
      await server.close();
    }
    const away = await refused({ DATABASE_URL: server.url });
    expect(away.how).toBe("exit code 1");
    expect(away.said).toContain("The database at DATABASE_URL did not answer (ECONNREFUSED)");
  });

  it("ends with 1 where another program has the port", async () => {
    await p.start();
    expect(await p.launch().exited).toBe("exit code 1");
    expect(await p.log()).toContain("another program listens there");
  });
});
