/** The main job: a real Update, real workerd, real Redis, real git, real sandbox, to a commit and a completion with its diff. */
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { showCost, type Usage } from "#core/ledger.ts";
import type { Task } from "#ports/tasks.ts";
import type { ChatMessage } from "../../dev/telegram/start.ts";
import { readJournal } from "../../scripts/ledger/journal.ts";
import { compareJournal, compareReceipts } from "../../scripts/ledger/verify.ts";
import { billedFor } from "./billed.ts";
import { type House, mission, openHouse } from "./house.ts";
import { applies, branchesOf, checkoutOf, git, testsIn, withClone } from "./shop.ts";
import { until } from "./until.ts";
import { interceptUpdates, postUpdate, secretHeader, textUpdate } from "./update.ts";
import { logIn } from "./view.ts";

let house: House;
let owners: Awaited<ReturnType<typeof checkoutOf>>;
let deliverAgain: () => Promise<void>;
/** Above what the chat hands out by itself. */
let nextUpdate = 2_000_000_000;

beforeAll(async () => {
  house = await openHouse({ bus: "redis" });
  owners = await checkoutOf(house.box.shop);
  deliverAgain = await interceptUpdates(house);
});
afterAll(() => house?.close());

/** The owner's message lies in the chat; the test carries its Update. */
function typed(text: string) {
  const message = house.chat.say(text);
  return { message, update: textUpdate(nextUpdate++, message.id, { id: house.box.owner }, text) };
}

const repliesTo = (id: number) => house.chat.messages().filter((message) => message.from === "bot" && message.replyTo?.id === id);
/** What headquarters took in; the tap that let the branch join is not among it. */
const messagesHeard = () => house.rows("select outcome, attempts from inbound_updates where inbound_json ->> '$.kind' = 'text'");
const tasks = () => house.box.store.tasks.list({ limit: 50 });

describe("who may speak", () => {
  test("without the right secret nothing is read", async () => {
    const { update } = typed(mission);
    expect(await postUpdate(house, update, {})).toBe(401);
    expect(await postUpdate(house, update, { "x-telegram-bot-api-secret-token": "x".repeat(43) })).toBe(401);
    expect(await postUpdate(house, "not even an update", {})).toBe(401);
  });

  test("a stranger is heard politely, and nothing happens", async () => {
    const stranger = { id: house.box.owner + 1, username: "owner" };
    expect(await postUpdate(house, textUpdate(nextUpdate++, 1, stranger, mission))).toBe(200);
    const group = textUpdate(nextUpdate++, 1, { id: house.box.owner }, mission);
    expect(await postUpdate(house, { ...group, message: { ...group.message, chat: { id: -100, type: "group", title: "us" } } })).toBe(200);
    expect(await messagesHeard()).toEqual([]);
    expect(await tasks()).toEqual([]);
    expect(house.model.requests).toEqual([]);
  });
});

describe("the job", () => {
  let asked: ReturnType<typeof typed>;
  let task: Task;
  let done: ChatMessage;

  beforeAll(async () => {
    asked = typed(mission);
    expect(await postUpdate(house, asked.update)).toBe(200);
    ({ task, done } = await house.endOf(asked.message.id));
  });

  test("is one task, done and verified by Lisa in an attempt of its own", async () => {
    expect(await tasks()).toHaveLength(1);
    expect(task).toMatchObject({ state: "succeeded", epoch: 1, factory: "desk-1", persona: "Lisa", kind: "coder", workspace: "demo-shop" });
    expect(task.receipt).toMatchObject({ verdict: "verified", testsBefore: { exitCode: 1 }, testsAfter: { exitCode: 0 }, limitsHit: [] });
    expect(task.receipt?.commands.length).toBeGreaterThan(0);
    expect(await messagesHeard()).toEqual([expect.objectContaining({ outcome: "answered", attempts: 1 })]);
  });

  test("tells its story in order, each hop recorded", async () => {
    const told = async () => (await house.box.store.tasks.events(task.id)).map((event) => event.kind);
    // Headquarters notes that the chat confirmed it a moment after the chat shows it.
    const kinds = await until("the end of the story", async () => (await told()).includes("told") && told());
    const hops = ["delegated", "dispatched", "published", "claimed", "routed", "started", "committed", "finished", "succeeded", "told"];
    expect(kinds.filter((kind) => hops.includes(kind))).toEqual(hops);
    expect(kinds).toContain("step");
  });

  test("has a silent card, in reply to the message, edited in place until it says done", async () => {
    const card = await until(
      "the card says done",
      () => repliesTo(asked.message.id).find((message) => message.silent && message.text.includes("✅ done")),
      15_000,
    );
    expect(card.text).toContain("Lisa @ desk-1");
    expect(card.text).toContain(`Simone @ HQ · ${task.id}`);
    expect(card.editedAt).not.toBeNull();
    expect(card.buttons.flat().map((button) => button.text)).toEqual(["Log", "Open"]);
    expect(repliesTo(asked.message.id).filter((message) => message.silent)).toHaveLength(1);
  });

  test("is answered once by Simone, who says who does it", () => {
    const answers = repliesTo(asked.message.id).filter((message) => !message.silent);
    expect(answers).toHaveLength(1);
    expect(answers[0]?.text).toContain("desk-1");
    expect(answers[0]?.text).toContain("Simone @ HQ");
    expect(house.chat.messages().find((message) => message.id === asked.message.id)?.reactions).toEqual(["👀"]);
  });

  test("ends with an audible completion: verdict, diffstat, commit, cost, byline", async () => {
    const { diffstat, head } = task.receipt ?? {};
    expect(done.silent).toBe(false);
    expect(done.text).toContain("✅ done: The tests of the demo shop fail");
    expect(done.text).toContain("verified: the tests failed before and pass now");
    expect(done.text).toContain(diffstat?.text.trimEnd());
    expect(diffstat).toMatchObject({ files: 1, insertions: 1, deletions: 1 });
    expect(done.text).toContain(`commit ${head?.slice(0, 12)} on uac/${task.id}-1`);
    const cost = showCost(await house.box.store.ledger.total({ task: task.id }));
    expect(cost).toMatch(/^\$0\.\d*[1-9]/);
    expect(done.text.split("\n").at(-1)).toMatch(/^Lisa @ desk-1 · \d+\.\d s · /);
    expect(done.text.endsWith(cost)).toBe(true);
  });

  test("brings a .diff that git applies to the base, and makes the failing tests pass", async () => {
    const document = await until("the diff", () => house.chat.messages().find((message) => message.document)?.document);
    expect(document.name).toBe(`${task.id}.diff`);
    const patch = await (await fetch(new URL(document.url, house.chat.chatUrl))).text();
    const { base = "", head = "" } = task.receipt ?? {};
    await withClone(house.box.shop, String(base), async (clone) => {
      expect(await applies(clone, patch)).toBe(true);
      expect(await applies(clone, patch.replace(/^-.*$/m, "-something else"))).toBe(false);
      expect(await testsIn(clone)).not.toBe(0);
    });
    await withClone(house.box.shop, String(head), async (clone) => expect(await testsIn(clone)).toBe(0));
  });

  test("is committed by the host as Lisa on a branch of its own; the owner's checkout is as it was", async () => {
    const { shop } = house.box;
    const branch = `uac/${task.id}-1`;
    expect(await branchesOf(shop)).toEqual(["main", branch]);
    expect(await git(shop, "rev-parse", branch)).toBe(task.receipt?.head);
    expect(await git(shop, "rev-parse", `${branch}^`)).toBe(owners.main);
    expect(await git(shop, "log", "-1", "--format=%an <%ae>", branch)).toBe("Lisa (desk-1) <coder@desk-1.uac.invalid>");
    expect(await checkoutOf(shop)).toEqual(owners);
    expect(await git(shop, "worktree", "list", "--porcelain")).not.toContain("uac/");
  });

  test("leaves a journal, a ledger and a receipt that agree to the token", async () => {
    const { DATABASE_URL: url = "", DATABASE_AUTH_TOKEN: authToken = "" } = house.box.hqEnv;
    const hq = createClient({ url, authToken });
    const journal = await readJournal(join(house.dir, "desk-1"));
    const parts = [await compareJournal(journal, hq, 0), await compareReceipts(hq, new Set())];
    hq.close();
    expect(journal.entries.length).toBeGreaterThan(3);
    expect(parts.flatMap(({ differences }) => differences)).toEqual([]);
    expect(task.receipt?.usage).toEqual(await house.box.store.ledger.total({ task: task.id }));
  });

  test("costs in the ledger what the model counted, call by call", async () => {
    const { requests } = house.model;
    const [front, coder] = (["front-desk", "coder"] as const).map((role) => requests.filter((request) => request.role === role));
    const total = await house.box.store.ledger.total({});
    expect(total).toMatchObject({ calls: requests.length, unpriced: 0 });
    expect(total.usage).toEqual(billedFor(requests) satisfies Usage);
    expect(await house.rows("select factory, persona, count(*) as calls from usages group by factory, persona order by factory")).toEqual([
      { factory: "desk-1", persona: "Lisa", calls: coder?.length },
      { factory: "hq", persona: "Simone", calls: front?.length },
    ]);
    expect((await house.box.store.ledger.total({ task: task.id })).calls).toBe(coder?.length);
  });

  test("posted again, the same Update changes nothing", async () => {
    expect(await postUpdate(house, asked.update)).toBe(200);
    const { message, update } = typed("/tasks");
    await postUpdate(house, update);
    // The desk works messages off in order: with this answer everything before it is done.
    expect((await house.answerTo(message.id)).text).toContain(task.id);
    expect(await tasks()).toHaveLength(1);
    expect(repliesTo(asked.message.id)).toHaveLength(2);
  });

  test("shows on the dashboard to who has the link from the chat, and to nobody else", async () => {
    expect((await fetch(`${house.box.hqUrl}/`)).status).toBe(401);
    expect((await fetch(`${house.box.hqUrl}/tasks/${task.id}`)).status).toBe(401);
    await deliverAgain();
    const view = await logIn(house);
    const front = await view.text("/");
    for (const shown of ["desk-1", "online", "VP_CODER: Enabled", "Homer, Lisa, Bart", task.title]) {
      expect(front).toContain(shown);
    }
    const page = await view.text(`/tasks/${task.id}`);
    const cost = showCost(await house.box.store.ledger.total({ task: task.id }));
    for (const shown of [task.title, "verified", "Lisa @ desk-1", cost, task.receipt?.head?.slice(0, 12) ?? "?"])
      expect(page).toContain(shown);
    for (const line of (task.receipt?.patch ?? "").split("\n").filter((text) => /^[-+] /.test(text))) {
      expect(page).toContain(line.slice(1).trim());
    }
    expect(await view.status(`/tasks/${task.id}/diff`)).toBe(200);
    expect(await view.status("/tasks/no-such-task")).toBe(404);
  });
});

test("a mission that arrives five times at once is one task and one answer", async () => {
  const undo = await interceptUpdates(house);
  const { message, update } = typed(mission);
  const statuses = await Promise.all(Array.from({ length: 5 }, () => postUpdate(house, update)));
  expect(statuses).toEqual([200, 200, 200, 200, 200]);
  const { task } = await house.endOf(message.id);
  const last = typed("/tasks");
  await postUpdate(house, last.update, secretHeader(house));
  await house.answerTo(last.message.id);
  expect((await tasks()).filter((candidate) => candidate.message === message.id).map(({ id }) => id)).toEqual([task.id]);
  expect(await branchesOf(house.box.shop)).toHaveLength(3);
  expect(repliesTo(message.id).filter((reply) => !reply.silent)).toHaveLength(1);
  expect(repliesTo(message.id).filter((reply) => reply.silent)).toHaveLength(1);
  expect(await checkoutOf(house.box.shop)).toEqual(owners);
  await undo();
});
