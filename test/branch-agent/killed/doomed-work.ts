/**
 * A branch at work on several attempts, each of which stops for ever at its own event. Says on its output what happens, a line each, and is
 * killed by `killed-work.test.ts`. The product's own composition; only HQ, the bus and the model's provider are left out.
 */
import { appendFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import type { Order } from "#core/envelope.ts";
import type { OpsToken } from "#core/ops-token.ts";
import type { Branch } from "#factory/branch.ts";
import type { Tool } from "#ports/tool.ts";

enableCompileCache();
const { meteredLlm, scriptedLlm } = await import("#adapters/llm/scripted.ts");
const { defaultLimits } = await import("#core/limits.ts");
const { waitingLine } = await import("#factory/waiting-line.ts");
const { work } = await import("#factory/work.ts");
const { openBranch } = await import("../../../branch-agent/compose.ts");
const { gated } = await import("../../../dev/chaos/gate.ts");
const { reply } = await import("./thirty-steps.ts");

export interface Job {
  task: string;
  /** It stops at this event, counted from 0. Null: it goes on to its end, and tells of its events. */
  at: number | null;
}

export type Line =
  | { event: string; task: string }
  | { stopped: string; task: string }
  | { ended: Awaited<ReturnType<typeof work>>; task: string };

/** What changes something that outlives the process, and what stands between two such changes. */
const events =
  /^(journal\.(set|reserve|settle|transcript\.append):after|tool\.run:(before|after)|sandbox\.run:(before|after)|workspaces\.(open|commit):(before|after))$/;

const { jobs, calls } = JSON.parse(process.env.DOOMED ?? "{}") as { jobs: Job[]; calls: string };
const tell = (line: Line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const opened = await openBranch(process.env);

async function run({ task, at }: Job): Promise<void> {
  let seen = 0;
  const halted = Promise.withResolvers<void>();
  const gate: Parameters<typeof gated>[2] = {
    armed: (point) => events.test(point),
    async reach(point) {
      if (at === null) tell({ event: point, task });
      if (seen++ !== at) return "go";
      tell({ stopped: point, task });
      halted.resolve();
      return new Promise(() => {});
    },
    tell: async () => {},
    refresh: async () => {},
  };
  const { journal, workspaces, sandbox, handsFor } = opened.branch;
  const branch: Branch = {
    ...opened.branch,
    // One of its own: in a common one an attempt may write down what another's call used, and its events are others each time.
    line: waitingLine(opened.branch.clock, { most: 9, waitMs: 75_000 }),
    journal: gated(journal, "journal", gate, "store_unavailable"),
    workspaces: gated(workspaces, "workspaces", gate, "workspace_failed"),
    sandbox: gated(sandbox, "sandbox", gate, "sandbox_unavailable"),
    handsFor(bench) {
      const hands = handsFor(bench);
      const tools = hands.tools.map((tool) => ({ ...tool, run: gated(counted(tool, task), "tool", gate, "internal").run }));
      return { ...hands, tools };
    },
    inferenceFor: async (_, metering) => ({ llm: meteredLlm(scriptedLlm(reply), metering), close: async () => {} }),
  };
  const order: Order = {
    ...{ task, epoch: 1, kind: "coder", title: "Thirty things", instruction: "Do them.", workspace: "shop", limits: defaultLimits },
    requireVerified: false,
  };
  const entry = { order, orderId: `order_${task}`, entryId: `entry_${task}` };
  await journal.accept(entry, Date.now());
  await journal.begin(task, 1, Date.now());
  const token = { act: ["read", "write", "exec", "commit"], net: [], sec: [], lim: defaultLimits } as unknown as OpsToken;
  const grant = { token, signal: new AbortController().signal, news: () => new Promise<void>(() => {}) };
  const ended = work(branch, { ...entry, state: "running", starts: 1 }, grant, () => {}).then((outcome) => tell({ ended: outcome, task }));
  await Promise.race([ended, halted.promise]);
}

/** Notes each run outside of everything that the run may touch. */
function counted(tool: Tool, task: string): Pick<Tool, "run"> {
  return {
    run(input, call) {
      if (!tool.repeatable) appendFileSync(calls, `${task} ${call.key}\n`);
      return tool.run(input, call);
    },
  };
}

const waiting = [...jobs];
const hand = async () => {
  for (let job = waiting.shift(); job; job = waiting.shift()) await run(job);
};
await Promise.all(Array.from({ length: 6 }, hand));
if (jobs.every(({ at }) => at === null)) {
  await opened.close();
  process.exit();
}
// Killed from outside, by somebody who has heard that all stand still.
setInterval(() => {}, 1000);
