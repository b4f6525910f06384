/** The whole path: `delegate` at headquarters → state of record → bus → the branch's own loop → claim over HTTP → the first step of the work. */
import { defaultLimits } from "#core/limits.ts";
import { isTerminal, taskStates } from "#core/task.ts";
import { delegate } from "#factory/delegate.ts";
import { runFactory } from "../../branch-agent/loop.ts";
import { openBranch, workspace } from "./branch.ts";
import { type Contender, payload, underWay } from "./contender.ts";
import { type BenchHq, owner } from "./headquarters.ts";

const id = "desk-whole";
/** As many as a factory may have. */
const slots = 64;
const withinMs = 60_000;
const pollMs = 20;

export async function wholePath(headquarters: BenchHq, busUrl: string, folder: string): Promise<Contender> {
  const jobs = underWay();
  const { branch, close } = await openBranch({ id, busUrl, headquarters, folder, slots, onWork: jobs.arrive });
  const { hq } = headquarters;
  const drain = new AbortController();
  const running = runFactory(branch, { drain: drain.signal, halt: new AbortController().signal }).catch((error: unknown) =>
    jobs.fail(error),
  );
  await until("the branch is online", async () => (await hq.store.factories.get(id))?.facts);
  const open = taskStates.filter((state) => !isTerminal(state));

  return {
    name: "whole",
    about: "delegate → task, order and card in libSQL → bus → journal → claim over HTTP → first step; then result, settling, card",
    async hand() {
      const { id: task, arrived } = jobs.start();
      const from = { id: task, chat: owner, message: null, receivedAt: Date.now() };
      const what = { title: "Bench", instruction: payload, kind: null, workspace, factory: null, requireVerified: false };
      const when = { after: [], priority: 0, notBefore: null, deadline: null, replayOf: null, follow: null };
      await delegate(hq, { ...from, ...what, ...when, limits: defaultLimits });
      return arrived;
    },
    widen() {},
    async settled() {
      await until("every task is over", async () => (await hq.store.tasks.list({ states: open, limit: 1 })).length === 0);
    },
    async close() {
      drain.abort();
      await running;
      await close();
    },
  };
}

async function until(what: string, holds: () => Promise<unknown>) {
  const giveUp = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > giveUp) throw new Error(`Not within ${withinMs / 1000} s: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
