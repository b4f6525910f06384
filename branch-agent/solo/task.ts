/** One task with nobody behind it: the order is made here, and so is the leave to work it. What comes of it is whoever calls's to tell. */
import type { Control } from "#core/control.ts";
import type { Order } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { longestInstruction } from "#core/limits.ts";
import { actionsOf } from "#core/ops-token.ts";
import type { Outcome, Tell } from "#factory/bench.ts";
import type { Grant, Workshop } from "#factory/branch.ts";
import { work } from "#factory/work.ts";
import type { Attempt } from "#ports/journal.ts";
import { branchOf } from "#ports/workspace.ts";

/** Of an order's title, characters. */
const titleMax = 200;
/** Ledger entries that are told in one go. */
const entriesPerGo = 400;
/** Other runs in the same home number their ends too: so often one may come in between. */
const mostTries = 20;

export interface SoloTask {
  task: string;
  workspace: string;
  instruction: string;
  /** The set-up may run, whatever it is. */
  setup?: boolean | undefined;
  /** It starts with what is not committed yet. */
  withEdits?: boolean | undefined;
  /** Ends it: its reason is told. */
  signal: AbortSignal;
  tell: Tell;
}

/** Resolves with a result whatever happens; then nothing of it is left but its branch, if that has a commit. Rejects if the journal fails. */
export async function doAlone(workshop: Workshop, { signal, tell, setup = false, ...of }: SoloTask): Promise<Outcome> {
  const { journal, clock, ids, log, profile } = workshop;
  const order = orderOf(of, workshop);
  const attempt: Attempt = { order, orderId: ids.next("env"), entryId: ids.next("entry"), state: "accepted", starts: 0 };
  const stop = new AbortController();
  const news = Promise.withResolvers<void>();
  const grant: Grant = {
    token: {
      act: actionsOf(profile.capabilities),
      net: [...profile.allowHosts],
      sec: [...profile.allowSecretFiles],
      lim: profile.limits,
      exp: Number.POSITIVE_INFINITY,
    },
    signal: AbortSignal.any([signal, stop.signal]),
    news: () => news.promise,
    alone: { approves: setup },
  };

  /** Whoever gave the order can't be asked for more: the work ends at its budget, and what there is counts. */
  async function endAtBudget(reason: string) {
    const { task, epoch } = order;
    const finish: Control = { do: "finish", id: ids.next("ctl"), seq: 1, task, epoch, reason: reason.slice(0, 500) };
    await journal.obey(finish, clock.now());
    news.resolve();
  }

  await journal.accept(attempt, clock.now());
  await journal.begin(order.task, order.epoch, clock.now());
  try {
    const outcome = await work(workshop, attempt, grant, (kind, persona, text) => {
      tell(kind, persona, text);
      // Nobody pauses it: it stands still at a budget.
      if (kind === "paused") endAtBudget(text).catch((error: unknown) => stop.abort(error));
    });
    await keep(workshop, attempt, outcome);
    return outcome;
  } finally {
    const branch = branchOf(order);
    await workshop.workspaces.close({ branch }).catch((error: unknown) => log.warn("a worktree stays behind", { branch, error }));
  }
}

function orderOf(
  { task, workspace, instruction, withEdits }: Pick<SoloTask, "task" | "workspace" | "instruction" | "withEdits">,
  { profile }: Workshop,
): Order {
  const text = instruction.trim();
  if (text === "") throw new UacError("bad_input", "The instruction is empty. Say what is to be done.");
  if (text.length > longestInstruction) {
    throw new UacError(
      "bad_input",
      `The instruction is longer than ${longestInstruction} characters. Put the rest into a file of the repository.`,
    );
  }
  const [first = "", ...rest] = text.split("\n");
  const isTitle = first.length <= titleMax;
  return {
    task,
    epoch: 1,
    kind: "coder",
    title: isTitle ? first.trim() : `${first.slice(0, titleMax - 1)}…`,
    instruction: isTitle ? rest.join("\n").trim() : text,
    workspace,
    limits: profile.limits,
    requireVerified: false,
    follow: null,
    ...(withEdits && { withEdits }),
  };
}

/** Into the journal, with all that was spent, and out of its outbox at once: who has to hear of it is here. */
async function keep({ journal, clock, ids }: Workshop, { order, entryId }: Attempt, outcome: Outcome): Promise<void> {
  const { task, epoch } = order;
  for (let tries = 0; tries < mostTries; tries++) {
    const spent = (await journal.untold(entriesPerGo)).map((entry) => entry.id);
    const report = { id: ids.next("env"), seq: await journal.nextSeq(clock.now()), data: JSON.stringify(outcome), ackEntry: entryId };
    if (!(await journal.report(task, epoch, report, spent, clock.now()))) continue;
    await journal.sent(report.id);
    await journal.heard(report.seq);
    return;
  }
  throw new UacError("store_unavailable", "The end of the work could not be noted in the journal: too many runs ended at once.");
}
