/** An attempt on the test's repository with real git, sandbox and tools; what its model says is the test's. */
import { join } from "node:path";
import type { Script } from "#adapters/llm/scripted.ts";
import type { Order } from "#core/envelope.ts";
import { work } from "#factory/work.ts";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { coderHands } from "../../branch-agent/tools/coder-hands.ts";
import { openBranch, orderOf } from "../factory/branch.ts";
import { dir, git, repo, workspaces } from "./repository.ts";

/** Resolves with how it ended, and what the model was asked. The branch `uac/<task>-1` stays. */
export async function attempt(script: Script, order: Partial<Order> = {}) {
  const b = await openBranch({ script, env: { WORKSPACES: `demo=${repo}` } });
  const all = workspaces();
  b.branch.workspaces = all;
  b.branch.sandbox = bubblewrap();
  b.branch.handsFor = (bench) => coderHands({ ...bench, seesImages: false, redact: (text) => text, logDir: join(dir, "logs") });
  const one = { order: orderOf({ workspace: "demo", ...order }), orderId: "env_1", entryId: "1", state: "running" as const, starts: 1 };
  const grant = { token: b.token({ rep: "demo" }), signal: new AbortController().signal, news: () => new Promise<void>(() => {}) };
  const outcome = await work(b.branch, one, grant, () => {});
  await all.close({ branch: `uac/${one.order.task}-1` });
  await b.close();
  return { outcome, requests: b.llm.requests };
}

/** Commits all that lies in the repository, as its owner. */
export function commitAll() {
  git("add", "-A", "-f");
  git("-c", "core.hooksPath=/dev/null", "commit", "-qm", "more");
}
