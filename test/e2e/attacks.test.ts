/** What an attacker may try on the real bus and over HTTP: nothing of it runs, and what should not have happened is noted. */

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { createClient as createRedis } from "@redis/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "#adapters/clock/system.ts";
import { randomIds } from "#adapters/ids/random.ts";
import { hashSecret } from "#adapters/signer/digest.ts";
import { joseSigner, newKeyPair } from "#adapters/signer/jose.ts";
import { type Body, envelopeType, type Kind, orderLifeS, wireVersion } from "#core/envelope.ts";
import { paths } from "#core/hq-api.ts";
import { defaultLimits } from "#core/limits.ts";
import { seal } from "#factory/seal.ts";
import type { Signer } from "#ports/signer.ts";
import type { Task } from "#ports/tasks.ts";
import { forge } from "../adapters/signed.ts";
import { quietBeat } from "../support/heartbeats.ts";
import { type House, mission, openHouse } from "./house.ts";
import { until } from "./until.ts";

let house: House;
let redis: ReturnType<typeof createRedis>;
/** HQ's own signer: what an attacker would need. */
let hq: Signer;
let desk: Signer;
let deskKey: string;
/** An honest mission and the sealed order that led to it. */
let ended: Task;
let order: string;

const inbox = "uac:f:desk-1:in";

beforeAll(async () => {
  house = await openHouse({ bus: "redis" });
  redis = createRedis({ url: house.redis?.url ?? "" });
  await redis.connect();
  hq = await joseSigner(house.box.keys.signingKey);
  deskKey = await readFile(join(house.dir, "desk-1", "factory-key.json"), "utf8");
  desk = await joseSigner(deskKey);
  ({ task: ended } = await house.endOf(house.chat.say(mission).id));
  const [entry] = (await redis.xRange(inbox, "-", "+")) ?? [];
  order = String(entry?.message.e);
});
afterEach(() => house.model.behave("honest"));
afterAll(async () => {
  redis?.destroy();
  await house?.close();
});

/** Everything that work would leave a trace in. */
async function traces() {
  const journal = createClient({ url: `file:${join(house.dir, "desk-1", "journal.db")}` });
  const { rows } = await journal.execute("select task, epoch, state from attempts order by rowid");
  journal.close();
  return {
    attempts: rows.map((row) => ({ ...row })),
    worktrees: await readdir(join(house.dir, "desk-1", "worktrees")),
    modelCalls: house.model.requests.length,
    tasks: (await house.box.store.tasks.list({ limit: 50 })).map(({ id, state, epoch }) => ({ id, state, epoch })),
  };
}

/** Puts an entry on the desk's stream and waits until the desk is done with it. */
async function put(fields: Record<string, string>): Promise<string> {
  const id = await redis.xAdd(inbox, "*", fields);
  await until(`the desk is done with ${id}`, async () => {
    const [group] = await redis.xInfoGroups(inbox);
    return group?.pending === 0 && String(group["last-delivered-id"]) === id;
  });
  return id;
}

const incidents = () => house.rows("select kind, factory, text, digest from incidents order by id");
const incidentOf = (entry: string) =>
  until(`an incident about ${entry}`, async () => (await incidents()).find((incident) => String(incident.digest).endsWith(entry)));

function orderFor(aud: string, more: { body?: Record<string, unknown>; head?: Record<string, unknown> } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const body = {
    ...{ task: `t-forged-${randomIds.secret(4)}`, epoch: 1, kind: "coder", title: "Fix it", instruction: mission, workspace: "demo-shop" },
    ...{ limits: defaultLimits, requireVerified: false, follow: null, ...more.body },
  };
  const head = {
    v: wireVersion,
    id: randomIds.next("env"),
    iss: "hq",
    aud,
    kind: "order",
    iat: now,
    exp: now + orderLifeS,
    seq: 1,
    corr: null,
  };
  return { ...head, ...more.head, body };
}
const headerOf = (kid: string) => ({ alg: "Ed25519", typ: envelopeType, kid });
const sealedByHq = (payload: unknown) => forge(house.box.keys.signingKey, headerOf(hq.kid), payload);

describe("an entry on a factory's stream", () => {
  test.each<[string, RegExp, () => Promise<string> | string]>([
    ["that is not signed", /is not a compact JWS/, () => JSON.stringify(orderFor("desk-1"))],
    [
      "whose order was altered",
      /signature that does not verify/,
      () => {
        const [header = "", payload = "", signature = ""] = order.split(".");
        const altered = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
        altered.body.instruction = "rm -rf /";
        return [header, Buffer.from(JSON.stringify(altered)).toString("base64url"), signature].join(".");
      },
    ],
    [
      "whose signature was altered",
      /signature that does not verify|canonical/,
      () => `${order.slice(0, -8)}${order.at(-8) === "A" ? "B" : "A"}${order.slice(-7)}`,
    ],
    [
      "signed with a stranger's key",
      /a key that is not trusted/,
      async () => {
        const stranger = await newKeyPair();
        const { kid } = await joseSigner(stranger.privateJwk);
        return forge(stranger.privateJwk, headerOf(kid), orderFor("desk-1"));
      },
    ],
    [
      "signed with a stranger's key under HQ's name",
      /signature that does not verify/,
      async () => forge((await newKeyPair()).privateJwk, headerOf(hq.kid), orderFor("desk-1")),
    ],
    [
      "that says alg: none",
      /is not signed with Ed25519/,
      () => forge(house.box.keys.signingKey, { ...headerOf(hq.kid), alg: "none" }, orderFor("desk-1")),
    ],
    ["for another factory", /is for desk-2, not for desk-1/, () => sealedByHq(orderFor("desk-2"))],
    ["with approved: true in the order", /Unrecognized key/, () => sealedByHq(orderFor("desk-1", { body: { approved: true } }))],
    ["with approved: true beside it", /Unrecognized key/, () => sealedByHq(orderFor("desk-1", { head: { approved: true } }))],
    ["that has expired", /has expired/, () => sealedByHq(orderFor("desk-1", { head: { iat: 1_700_000_000, exp: 1_700_086_400 } }))],
  ])("%s does nothing, and headquarters notes it", async (_, reason, entry) => {
    const before = await traces();
    const id = await put({ e: await entry() });
    const incident = await incidentOf(id);
    expect(incident).toMatchObject({ kind: "order_rejected", factory: "desk-1" });
    expect(incident.text).toMatch(reason);
    expect(await traces()).toEqual(before);
  });

  test("that holds a command instead of an order does nothing", async () => {
    const before = await traces();
    const trap = join(house.dir, "trap");
    await incidentOf(await put({ cmd: `touch ${trap}` }));
    expect(existsSync(trap)).toBe(false);
    expect(await traces()).toEqual(before);
  });

  test("that is an order which has been carried out does nothing, with or without a command beside it", async () => {
    const before = await traces();
    const trap = join(house.dir, "trap");
    await put({ e: order });
    await put({ cmd: `touch ${trap}`, approved: "true", e: order });
    await incidentOf(await put({ e: `${order}\n` }));
    expect(existsSync(trap)).toBe(false);
    expect(await traces()).toEqual(before);
  });

  test("that is an order which headquarters did not give is not started, though its signature is good", async () => {
    const before = await traces();
    const forged = orderFor("desk-1");
    await put({ e: sealedByHq(forged) });
    const now = await traces();
    // It stands in the journal as closed, and there alone: HQ did not grant the claim.
    expect(now.attempts).toEqual([...before.attempts, { task: forged.body.task, epoch: 1, state: "reported" }]);
    expect({ ...now, attempts: [] }).toEqual({ ...before, attempts: [] });
  });
});

describe("the desk's own login for the bus", () => {
  test("19: is no more than its part: it can give itself no order, and delete or read nothing of another", async () => {
    const { busUrl } = JSON.parse(await readFile(join(house.dir, "desk-1", "enrolment.json"), "utf8"));
    expect(new URL(busUrl).username).toBe("uac-desk-1");
    expect(String(await redis.sendCommand(["CLIENT", "LIST"])), "the branch uses it").toContain("user=uac-desk-1");
    const stolen = createRedis({ url: busUrl, disableClientInfo: true });
    await stolen.connect();
    for (const command of [
      ["XADD", inbox, "*", "e", order],
      ["XREADGROUP", "GROUP", "f", "desk-2", "STREAMS", "uac:f:desk-2:in", ">"],
      ["XADD", "uac:f:desk-2:out", "*", "e", "as another"],
      ["DEL", inbox],
      ["XTRIM", "uac:f:desk-1:out", "MAXLEN", "0"],
      ["EVAL", "return 1", "0"],
      ["ACL", "SETUSER", "uac-desk-1", "allcommands"],
      ["CONFIG", "GET", "*"],
    ]) {
      await expect(stolen.sendCommand(command), command.join(" ")).rejects.toThrow(/NOPERM/);
    }
    stolen.destroy();
  });
});

describe("an entry on the stream of what a factory says", () => {
  const said = (kind: string, body: object) => ({ ...orderFor("hq", { head: { iss: "desk-1", kind } }), body });
  const outbound = "uac:f:desk-1:out";

  async function say(entry: string) {
    const id = await redis.xAdd(outbound, "*", { e: entry });
    await house.box.hq?.tick?.();
    await until(`headquarters is done with ${id}`, async () => Number(await redis.sendCommand(["XLEN", outbound])) === 0);
    const [letter] = await house.rows("select kind, factory, text from incidents where data = ?", [entry]);
    return letter;
  }

  test("that another key signed is a dead letter", async () => {
    const before = await traces();
    const letter = await say(forge((await newKeyPair()).privateJwk, headerOf(desk.kid), said("result", { task: ended.id })));
    expect(letter).toMatchObject({ kind: "dead_letter", factory: "desk-1", text: expect.stringMatching(/does not verify/) });
    expect(await traces()).toEqual(before);
  });

  test("that gives an order is a dead letter: factories give none", async () => {
    const before = await traces();
    const letter = await say(forge(deskKey, headerOf(desk.kid), { ...orderFor("hq"), iss: "desk-1" }));
    expect(letter).toMatchObject({ kind: "dead_letter", text: expect.stringMatching(/a kind that desk-1 may not send/) });
    expect(await traces()).toEqual(before);
  });

  test("that tells of a task's end once more changes nothing", async () => {
    const before = await house.box.store.tasks.get(ended.id);
    const result = { task: ended.id, epoch: 1, outcome: "failed", code: "forged", reason: "forged", persona: "Lisa", summary: "forged" };
    await say(forge(deskKey, headerOf(desk.kid), said("result", { ...result, receipt: null, usages: [], log: "" })));
    expect(await house.box.store.tasks.get(ended.id)).toEqual(before);
    expect(house.chat.messages().filter((message) => message.text.includes("forged"))).toEqual([]);
  });
});

const post = async (path: string, body: string, type = "text/plain") => {
  const response = await fetch(`${house.box.hqUrl}${path}`, { method: "POST", headers: { "content-type": type }, body });
  return { status: response.status, body: (await response.json().catch(() => null)) as Record<string, unknown> | null };
};

async function sealedBy<K extends Kind>(signer: Signer, self: string, kind: K, body: Body<K>): Promise<string> {
  return (await seal({ self, signer, clock: systemClock, ids: randomIds }, kind, body, { aud: "hq", corr: null })).jws;
}

describe("headquarters' door", () => {
  test("a claim is heard once; a replay of the same bytes is refused", async () => {
    house.model.behave("slow:3000", { role: "coder" });
    const asked = house.chat.say(mission);
    const { id } = await house.taskOf(asked.id);
    await until("the coder is at work", async () => (await house.box.store.tasks.get(id))?.state === "running");
    const [row] = await house.rows("select order_id from tasks where id = ?", [id]);
    const claim = await sealedBy(desk, "desk-1", "claim", { task: id, epoch: 1, order: String(row?.order_id) });
    expect(await post(paths.claim, claim)).toMatchObject({ status: 200, body: { resumed: true } });
    expect(await post(paths.claim, claim)).toMatchObject({ status: 409, body: { error: "conflict" } });
    house.chat.say(`/cancel ${id}`);
    expect((await house.endOf(asked.id)).task.state).toBe("cancelled");
  });

  test("a claim of what is over, or of another order, is refused", async () => {
    const [row] = await house.rows("select order_id from tasks where id = ?", [ended.id]);
    const over = await sealedBy(desk, "desk-1", "claim", { task: ended.id, epoch: 1, order: String(row?.order_id) });
    expect(await post(paths.claim, over)).toMatchObject({ status: 409 });
    const nothing = await sealedBy(desk, "desk-1", "claim", { task: "t-nothing", epoch: 1, order: "env_nothing" });
    expect(await post(paths.claim, nothing)).toMatchObject({ status: 409 });
  });

  test("a heartbeat by an unknown key, or by a known key under another name, is refused", async () => {
    const facts = (await house.box.store.factories.get("desk-1"))?.facts;
    if (!facts) throw new Error("desk-1 has told nothing of itself");
    const stranger = await joseSigner((await newKeyPair()).privateJwk);
    const beat = quietBeat({ ...facts, name: "not desk-1" }, { draining: true });
    expect(await post(paths.heartbeat, await sealedBy(stranger, "desk-1", "heartbeat", beat))).toMatchObject({
      status: 401,
      body: { error: "unauthenticated" },
    });
    expect(await post(paths.heartbeat, await sealedBy(desk, "desk-2", "heartbeat", beat))).toMatchObject({
      status: 400,
      body: { error: "bad_envelope" },
    });
    expect(await post(paths.heartbeat, await sealedBy(desk, "desk-1", "doorbell", { reason: "result" }))).toMatchObject({ status: 400 });
    expect(await post(paths.heartbeat, "")).toMatchObject({ status: 400 });
    expect(await house.box.store.factories.get("desk-1")).toMatchObject({ status: "active", facts: { name: "desk-1" } });
  });
});

describe("a join code", () => {
  async function codeFor(id: string): Promise<string> {
    const { text } = await house.answerTo(house.chat.say(`/enrol ${id}`).id);
    return /enrol ([A-Za-z0-9_-]{20,})$/m.exec(text)?.[1] ?? "";
  }

  async function enrol(code: string, factory: string, more: Record<string, unknown> = {}) {
    const { privateJwk, publicKey: key } = await newKeyPair();
    const proof = await (await joseSigner(privateJwk)).prove(await hashSecret(code));
    return post(paths.enrol, JSON.stringify({ code, factory, name: factory, role: "branch", key, proof, ...more }), "application/json");
  }

  test("works once, and what it makes waits for the owner", async () => {
    const code = await codeFor("desk-3");
    expect(await enrol(code, "desk-3")).toMatchObject({ status: 200, body: { status: "pending" } });
    expect(await enrol(code, "desk-3")).toMatchObject({ status: 409 });
    expect(await house.box.store.factories.get("desk-3")).toMatchObject({ status: "pending", facts: null });
  });

  test("is for one name, one id and one role", async () => {
    expect(await enrol(await codeFor("desk-4"), "desk-4", { name: "another" })).toMatchObject({ status: 403 });
    expect(await enrol(await codeFor("desk-4"), "desk-4", { role: "headquarters" })).toMatchObject({ status: 403 });
    expect((await enrol(await codeFor("desk-4"), "desk-5")).status).not.toBe(200);
    expect(await house.box.store.factories.get("desk-4")).toBeNull();
    expect(await house.box.store.factories.get("desk-5")).toBeNull();
  });

  test("is burned by the sixth guess", async () => {
    const code = await codeFor("desk-6");
    for (let guess = 1; guess <= 5; guess++) expect((await enrol(randomIds.secret(16), "desk-6")).status).toBe(401);
    expect(await enrol(randomIds.secret(16), "desk-6")).toMatchObject({ status: 410 });
    expect(await enrol(code, "desk-6")).toMatchObject({ status: 410 });
    expect(await house.box.store.factories.get("desk-6")).toBeNull();
  });

  test("is of no use without the key that it is shown with", async () => {
    const code = await codeFor("desk-7");
    const proof = await (await joseSigner((await newKeyPair()).privateJwk)).prove(await hashSecret(code));
    expect(await enrol(code, "desk-7", { proof })).toMatchObject({ status: 401 });
    expect(await enrol(code, "desk-7")).toMatchObject({ status: 200 });
  });
});

describe("a program with the wrong environment does not start", () => {
  const root = new URL("../..", import.meta.url).pathname;

  test.each(["TELEGRAM_BOT_TOKEN", "DATABASE_URL", "HQ_SIGNING_KEY"])("a branch that holds headquarters' %s", async (name) => {
    const secret = house.box.hqEnv[name] ?? "";
    const env = { PATH: process.env.PATH, HOME: house.dir, UAC_HOME: join(house.dir, "desk-1"), FACTORY_ROLE: "branch", [name]: secret };
    const { code, output } = await new Promise<{ code: number | null; output: string }>((resolve) => {
      const child = execFile("npx", ["tsx", "branch-agent"], { cwd: root, env }, (_, out, err) =>
        resolve({ code: child.exitCode, output: out + err }),
      );
    });
    expect(code).toBe(2);
    expect(output).toContain(`${name} belongs to headquarters alone`);
    expect(output).not.toContain(secret);
  });
});
