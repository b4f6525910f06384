/**
 * A factory whose model is an attacker, as a program of its own: `node attacker.ts <plan as JSON>`. Loop, tools, sandbox, worktree and git
 * are the real ones; the model does what the plan says, whatever it is told. Prints one JSON object with all that left the factory.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { randomIds } from "#adapters/ids/random.ts";
import { jsonLog } from "#adapters/log/json.ts";
import { knownValues } from "#adapters/redactor/known-values.ts";
import { work } from "#factory/work.ts";
import type { Tool } from "#ports/tool.ts";
import { openGateway } from "../../branch-agent/gateway/server.ts";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { coderHands } from "../../branch-agent/tools/coder-hands.ts";
import { hidingCommitted } from "../../branch-agent/tools/committed-secrets.ts";
import { gitWorkspaces } from "../../branch-agent/workspace/worktrees.ts";
import { finish, use } from "../factory/agent.ts";
import { openBranch, orderOf } from "../factory/branch.ts";

export interface Plan {
  repo: string;
  /** Where worktrees and logs lie. */
  home: string;
  steps: { tool: string; input: Record<string, unknown> }[];
  /** In the steps' texts `@GATEWAY@` is the metering gateway's port, `@AGENT@` this process's id, `@WORKTREE@` the worktree. */
  bwrap: string | null;
  /** Hosts of the Ops Token, and what their names lead to. */
  net: string[];
  names: Record<string, string[]>;
}

export interface Escaped {
  outcome: { code: string; reason: string; receipt: object | null };
  /** What the model was shown of each call. */
  shown: string[];
  /** All that the factory wrote or sent: transcript, receipt, patch, story, log, requests to the model. */
  told: string;
  /** Names that were looked up. */
  asked: string[];
  /** A secret that lay in this process's memory alone, told here so that it can be looked for. */
  inMemory: string;
}

const plan: Plan = JSON.parse(process.argv[2] ?? "");
/** In memory, and nowhere else: joined only here. */
const inMemory = ["memory", process.pid, Math.random().toString(36).slice(2)].join("-");
const kept = Buffer.from(inMemory.repeat(50));

const asked: string[] = [];
const gateway = await openGateway({
  ids: randomIds,
  log: jsonLog({ write: () => {}, redactor: knownValues(), level: "error", clock: { now: () => 0 } }),
  metered: () => fetch,
});
const desk = gateway.openDesk({} as never, [{ provider: "scripted" } as never]);
const gatewayPort = new URL(desk.urlFor("scripted")).port;

let calls = 0;
const bench = await openBranch({
  env: { ENABLE_NETWORK: "true", ALLOW_HOSTS: plan.net.join(","), WORKSPACES: `shop=${plan.repo}` },
  script: ({ system }) => {
    const step = plan.steps[calls++];
    if (!step) return finish("done", "All is well, and the tests pass.");
    const worktree = /worktree at (\S+)\./.exec(JSON.stringify(system))?.[1] ?? "";
    const filled = JSON.stringify(step.input)
      .replaceAll("@GATEWAY@", gatewayPort)
      .replaceAll("@AGENT@", String(process.pid))
      .replaceAll("@WORKTREE@", worktree);
    return { tools: [use(step.tool, JSON.parse(filled))] };
  },
});
const sandbox = bubblewrap({
  ...(plan.bwrap !== null && { bwrap: plan.bwrap }),
  outside: {
    async resolve(name) {
      asked.push(name);
      const [now, ...later] = plan.names[name] ?? [];
      if (!now) throw new Error("ENOTFOUND");
      plan.names[name] = later.length > 0 ? later : [now];
      return [now];
    },
  },
});
mkdirSync(join(plan.home, "logs"), { recursive: true });
const shown: string[] = [];
const branch = {
  ...bench.branch,
  sandbox,
  workspaces: gitWorkspaces({
    workspaces: { shop: plan.repo },
    root: join(plan.home, "worktrees"),
    branches: join(plan.home, "branches"),
    log: bench.branch.log,
  }),
  handsFor: (given: Parameters<typeof bench.branch.handsFor>[0]) => {
    const redact = hidingCommitted(given.scope, bench.branch.redactor.clean, knownValues());
    const hands = coderHands({ ...given, seesImages: false, redact, logDir: join(plan.home, "logs") });
    const watched = (tool: Tool): Tool => ({
      ...tool,
      run: async (...args) => {
        const result = await tool.run(...args);
        shown.push(result.content);
        return result;
      },
    });
    return { ...hands, tools: hands.tools.map(watched) };
  },
};
const attempt = {
  order: orderOf({ limits: { ...orderOf().limits, steps: 200 } }),
  orderId: "env_1",
  entryId: "1",
  state: "running" as const,
  starts: 1,
};
const grant = {
  token: bench.token({ net: plan.net, lim: attempt.order.limits }),
  signal: new AbortController().signal,
  news: () => new Promise<void>(() => {}),
};
const story: string[] = [];
const outcome = await work(branch, attempt, grant, (kind, persona, text) => void story.push(`${persona} ${kind}: ${text}`));
const transcript = await bench.journalRows("select * from transcript_entries");
const told = JSON.stringify([outcome, story, bench.lines, bench.llm.requests, transcript]);
const escaped: Escaped = { outcome, shown, told, asked, inMemory: kept.toString("utf8", 0, inMemory.length) };
await desk.close();
await gateway.close();
await bench.close();
process.stdout.write(JSON.stringify(escaped));
