/** What an attempt's sandbox is given: never more than token and factory both say, at that moment. */
import { afterEach, describe, expect, it } from "vitest";
import type { OpsToken } from "#core/ops-token.ts";
import { opsTokenMinutes } from "#core/ops-token.ts";
import { scopeOf } from "#factory/scope.ts";
import { work } from "#factory/work.ts";
import type { SandboxScope } from "#ports/sandbox.ts";
import { finish, use } from "./agent.ts";
import { type BranchBench, openBranch, orderOf } from "./branch.ts";

let b: BranchBench;
afterEach(() => b.close());

const network = { ENABLE_NETWORK: "true", ALLOW_HOSTS: "a.example,*.b.example", ALLOW_SECRET_FILES: ".env.test,keys/*.pem" };
const worktree = {
  path: "/srv/worktrees/t",
  gitDir: "/srv/shop/.git",
  base: "",
  branch: "",
  uncommitted: 0,
  workspace: "shop",
  into: null,
  replayed: null,
  test: null,
  setup: null,
};

async function scoped(env: Record<string, string>, token: Partial<OpsToken>) {
  b = await openBranch({ env });
  const grant = { token: b.token(token), signal: new AbortController().signal, news: () => new Promise<void>(() => {}) };
  return { grant, scope: scopeOf(b.branch, grant, worktree) };
}

const asked = { net: ["a.example:443", "x.b.example:443", "c.example:443"], sec: [".env.test", ".env"] };

describe("the scope of an attempt", () => {
  it("has the hosts and the files that token and factory both name", async () => {
    const { scope } = await scoped(network, asked);
    expect(scope.network).toEqual(["a.example:443", "x.b.example:443"]);
    expect(scope.opened).toEqual([".env.test"]);
    expect(scope.writable).toBe(true);
  });

  it.each([
    ["the factory's network is off", { ...network, ENABLE_NETWORK: "false" }, asked],
    ["the factory names no hosts", { ENABLE_NETWORK: "true" }, asked],
    ["the token names none", network, {}],
  ])("has no network where %s", async (_, env, token) => {
    expect((await scoped(env, token)).scope.network).toEqual([]);
  });

  it("loses hosts and files when its token expires, and has them again with a fresh one", async () => {
    const { grant, scope } = await scoped(network, asked);
    await b.advance(opsTokenMinutes * 60_000 - 1);
    expect(scope.network).toHaveLength(2);
    await b.advance(1);
    expect([scope.network, scope.opened]).toEqual([[], []]);
    grant.token = b.token(asked);
    expect(scope.network).toHaveLength(2);
  });

  it("writes nowhere where the token does not say write", async () => {
    expect((await scoped({}, { act: ["read", "exec"] })).scope.writable).toBe(false);
  });
});

it("tells the task's story, once for each command, of what was not let through", async () => {
  b = await openBranch({ script: [{ tools: [use("edit")] }, finish()], env: network });
  const scopes: SandboxScope[] = [];
  const { run } = b.branch.sandbox;
  b.branch.sandbox.run = async (scope, command) => {
    scopes.push({ ...scope });
    return { ...(await run(scope, command)), refusals: ["evil.example:443 is not among the hosts"] };
  };
  const attempt = { order: orderOf(), orderId: "env_1", entryId: "1", state: "running" as const, starts: 1 };
  const grant = { token: b.token(asked), signal: new AbortController().signal, news: () => new Promise<void>(() => {}) };
  const story: string[] = [];
  const outcome = await work(b.branch, attempt, grant, (kind, persona, text) => void story.push(`${persona} ${kind}: ${text}`));
  expect(story.filter((line) => line === "Lisa started: was refused: evil.example:443 is not among the hosts")).toHaveLength(2);
  expect(outcome.log).toContain("evil.example:443");
  const hosts = ["a.example:443", "x.b.example:443"];
  expect(scopes.map((scope) => scope.network)).toEqual([hosts, hosts]);
});
