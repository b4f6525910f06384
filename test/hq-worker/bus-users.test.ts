/** A factory's own user on the bus, from its request to join to its retirement: headquarters' verbs on a real Redis. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { redisBus } from "#adapters/bus/redis.ts";
import { fingerprint, hashSecret } from "#adapters/signer/digest.ts";
import { joseSigner, newKeyPair } from "#adapters/signer/jose.ts";
import type { EnrolReply } from "#core/hq-api.ts";
import { expelRetired, readmit } from "#factory/admit.ts";
import { answerJoin, enrolFactory, makeJoinCode } from "#factory/enrol.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import { parseHqProfile } from "#factory/profile.ts";
import { retireFactory } from "#factory/retire.ts";
import type { Bus } from "#ports/bus.ts";
import { type RedisServer, redisCommand, startRedis, untilBlocked } from "../../dev/redis.ts";
import { dataOf, orders, read } from "../contracts/bus.contract.ts";
import { type HqBench, hqEnv, openHq, owner, shakyBus } from "../factory/headquarters.ts";
import { quietProviders } from "../support/endpoint.ts";

const digest = { hash: hashSecret, fingerprint };
let server: RedisServer;
let bench: HqBench;
let bus: ReturnType<typeof shakyBus>;
let hq: Headquarters;
let branches: Bus[];

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await redisCommand(server.url, "FLUSHALL");
  bench = await openHq();
  bus = shakyBus(redisBus({ url: server.url }));
  branches = [];
  hq = headquarters({});
});
afterEach(async () => {
  await Promise.all([bus.expel("desk-1"), ...branches.map((branch) => branch.close())]);
  await bus.close();
  bench.close();
});
afterAll(() => server.stop());

const headquarters = (env: Record<string, string>): Headquarters => ({
  ...bench.hq,
  bus,
  settings: parseHqProfile({ ...hqEnv, BUS_URL: server.url, ...env }, { providers: quietProviders("scripted") }).hq,
});

async function join(): Promise<EnrolReply> {
  const code = await makeJoinCode(hq, digest, { id: "desk-1", name: "Desk", role: "branch" });
  const signer = await joseSigner((await newKeyPair()).privateJwk);
  const proof = await signer.prove(await hashSecret(code));
  return enrolFactory(hq, digest, { code, factory: "desk-1", name: "Desk", role: "branch", key: signer.publicKey, proof });
}
async function answer(yes: boolean) {
  const tag = (await factory()).kid.slice(0, 16);
  return answerJoin(hq, { factory: "desk-1", tag, yes, chat: owner, name: "Owner" });
}
async function factory() {
  const found = await hq.store.factories.get("desk-1");
  if (!found) throw new Error("desk-1 is not there");
  return found;
}
function branchOf({ busUrl }: EnrolReply): Bus {
  const branch = redisBus({ url: busUrl });
  branches.push(branch);
  return branch;
}
const users = async () => (await redisCommand(server.url, "ACL", "USERS")) as string[];
const incidents = () => bench.rows("select kind, factory, text from incidents");
const denied = { code: "bus_denied" };
const own = () => [orders("desk-1"), { factory: "desk-1", channel: "ctl" as const }];

describe("a machine that joins", () => {
  test("is told a login of its own, which opens when the owner approves; headquarters keeps no password", async () => {
    const reply = await join();
    const { username, password, host } = new URL(reply.busUrl);
    expect({ username, host, token: reply.busToken }).toEqual({ username: "uac-desk-1", host: new URL(server.url).host, token: "" });
    expect(JSON.stringify(await bench.snapshot())).not.toContain(password);
    expect(bench.lines.join("\n")).not.toContain(password);
    const branch = branchOf(reply);
    await expect(read(branch, own())).rejects.toMatchObject(denied);
    await answer(true);
    await bus.publish(orders("desk-1"), "order");
    expect(dataOf(await read(branch, own()))).toEqual(["order"]);
    expect(await incidents()).toEqual([]);
  });

  test("that is refused has no login", async () => {
    await join();
    expect(await users()).toContain("uac-desk-1");
    await answer(false);
    expect(await users()).not.toContain("uac-desk-1");
    expect((await factory()).busHash).toBeNull();
  });

  test("again with a new key throws out whoever was logged in before", async () => {
    const first = branchOf(await join());
    await answer(true);
    expect(await read(first, own())).toEqual([]);
    const second = branchOf(await join());
    await answer(true);
    await expect(read(first, own(), { blockMs: 50 })).rejects.toMatchObject(denied);
    expect(await read(second, own())).toEqual([]);
  });

  test("finds the bus where BRANCH_BUS_URL says, with its own login", async () => {
    hq = headquarters({ BRANCH_BUS_URL: "rediss://outside.example:7000" });
    expect((await join()).busUrl).toMatch(/^rediss:\/\/uac-desk-1:[\w-]{32}@outside\.example:7000/);
  });

  test.each([
    [{ BRANCH_BUS_URL: "rediss://branches:of-the-operator@outside.example:7000" }, ""],
    [{ BRANCH_BUS_URL: "https://outside.example", BRANCH_BUS_TOKEN: "of-the-operator" }, "of-the-operator"],
  ])("is told the operator's login for branches as it is, and no user is made: %j", async (env, token) => {
    hq = headquarters(env);
    expect(await join()).toMatchObject({ busUrl: env.BRANCH_BUS_URL, busToken: token });
    expect(await users()).toEqual(["default"]);
    expect(await incidents()).toEqual([]);
  });

  test("where no user can be made gets headquarters' login, and the owner is told what that means", async () => {
    await redisCommand(server.url, "ACL", "SETUSER", "hq-without-acl", "reset", "on", ">pw", "~uac:*", "+@all", "-acl");
    const url = `redis://hq-without-acl:pw@127.0.0.1:${server.port}`;
    const limited = redisBus({ url });
    hq = { ...headquarters({ BUS_URL: url }), bus: limited };
    expect(await join()).toMatchObject({ busUrl: url });
    expect(await incidents()).toMatchObject([{ kind: "shared_bus_login", factory: "desk-1", text: expect.stringMatching(/ACL SETUSER/) }]);
    await join();
    expect(await incidents()).toHaveLength(1);
    await limited.close();
    await redisCommand(server.url, "ACL", "DELUSER", "hq-without-acl");
  });
});

describe("a user that the server lost", () => {
  test("is made again when the factory's heartbeat says that it is denied, with its streams", async () => {
    const branch = branchOf(await join());
    await answer(true);
    await server.kill();
    await server.start();
    await redisCommand(server.url, "FLUSHALL");
    await expect(read(branch, own())).rejects.toMatchObject(denied);
    await readmit(hq, await factory());
    await readmit(hq, await factory());
    expect(await read(branch, own())).toEqual([]);
  });

  test("is not made for a factory that waits for approval, or is retired", async () => {
    await join();
    await bus.expel("desk-1");
    await readmit(hq, await factory());
    await answer(false);
    await readmit(hq, await factory());
    expect(await users()).toEqual(["default"]);
  });

  test("lets a factory in at its next heartbeat where the bus was away when the owner approved", async () => {
    const branch = branchOf(await join());
    bus.fail("admit", "before");
    expect(await answer(true)).toMatch(/has joined/);
    await expect(read(branch, own())).rejects.toMatchObject(denied);
    await readmit(hq, await factory());
    expect(await read(branch, own())).toEqual([]);
  });
});

describe("a factory that is retired", () => {
  test("is thrown off the bus at once, while it waits there", async () => {
    const branch = branchOf(await join());
    await answer(true);
    const waiting = expect(read(branch, [orders("desk-1")], { blockMs: 30_000 })).rejects.toMatchObject({ code: "bus_unavailable" });
    await untilBlocked(server.url);
    await retireFactory(hq, "desk-1");
    await waiting;
    await expect(read(branch, own())).rejects.toMatchObject(denied);
    expect((await factory()).busHash).toBeNull();
  });

  test("while the bus is away loses its user at a tick", async () => {
    await join();
    await answer(true);
    bus.fail("expel", "before");
    expect(await retireFactory(hq, "desk-1")).toMatch(/is retired/);
    expect(await users()).toContain("uac-desk-1");
    await expelRetired(hq);
    expect(await users()).toEqual(["default"]);
    expect((await bench.count(() => expelRetired(hq))).sql).toBe(1);
  });
});
