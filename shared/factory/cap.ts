/**
 * A run at the end of a budget: what it did is kept, and it stands still until the owner decides, or there is room again. All of it is in
 * the journal, so a restart changes nothing; headquarters hears of it by the next heartbeat, and asks.
 */
import * as z from "zod";
import { type Bound, type Budget, showAmount, showBudget } from "#core/budget.ts";
import { holds } from "#core/budget-period.ts";
import { type RaiseControl, standing } from "#core/control.ts";
import { type OverBudgetAt, overBudgetSchema } from "#core/envelope.ts";
import { publicMessage } from "#core/errors.ts";
import { attemptFact, type Journal } from "#ports/journal.ts";
import type { Llm } from "#ports/llm.ts";
import type { OverBudget } from "#ports/metering.ts";
import type { AgentRun } from "./agent-run.ts";
import type { Heed } from "./heed.ts";
import type { Meter } from "./metering.ts";
import { limitOf } from "./run-ends.ts";

interface Attempt {
  task: string;
  epoch: number;
}

const capSchema = z.strictObject({
  /** Where it stands still; null: it goes on. */
  at: overBudgetSchema.nullable(),
  /** How often it came to stand still at a budget. */
  times: z.int().nonnegative(),
  /** Raises that were heard when it did, or was still in the way of: another one that helps nothing is asked about anew. */
  raises: z.int().nonnegative(),
});
type Standing = z.infer<typeof capSchema>;

export interface Cap extends Required<Pick<AgentRun, "endedBy">> {
  /** `bounds` as far as the owner let this attempt go. */
  raised(bounds: readonly Bound[], now: number): Bound[];
  atCap(error: OverBudget, meter: Pick<Meter, "inTheWay">, owner: Pick<Heed, "rest">): Promise<void>;
  /** Looks what was decided: an answer may come after there was room again without it. To be called between two steps. */
  hear(): Promise<void>;
  /** `llm`; what it answers ends a standstill that a restart came upon. */
  through(llm: Llm): Llm;
}

/** Where an attempt stands still; null: it does not. */
export async function cappedAt(journal: Pick<Journal, "get">, attempt: Attempt): Promise<OverBudgetAt | null> {
  return (await read(journal, attempt)).at;
}

export async function openCap(journal: Pick<Journal, "get" | "set" | "controls">, attempt: Attempt): Promise<Cap> {
  let cap = await read(journal, attempt);
  let { raises, finish } = await said();

  async function said() {
    return standing(await journal.controls(attempt.task, attempt.epoch));
  }
  async function set(changed: Standing) {
    cap = changed;
    await journal.set(attemptFact("cap", attempt), JSON.stringify(changed));
  }
  /** It stands at this budget, for the first time or no more than before. */
  async function stand({ budget, spent, need }: Omit<OverBudgetAt, "time">) {
    const asBefore = cap.at?.budget.id === budget.id && cap.raises === raises.length;
    const times = asBefore ? cap.times : cap.times + 1;
    if (!asBefore) await set({ at: { budget, spent, need, time: times }, times, raises: raises.length });
  }

  /** One that ends here says so to the end. */
  async function goOn() {
    if (cap.at && finish === null) await set({ ...cap, at: null });
  }
  async function hear() {
    ({ raises, finish } = await said());
  }

  return {
    raised: (bounds, now) => bounds.map((bound) => ({ ...bound, budget: raisedBy(raises, bound.budget, now) })),
    endedBy: () => {
      if (finish === null) return null;
      return { code: cap.at ? limitOf(cap.at.budget) : "cost_limit", reason: finish };
    },
    async atCap(error, meter, owner) {
      await stand(error);
      await owner.rest(publicMessage(error), async () => {
        await hear();
        if (finish !== null) return true;
        const way = await meter.inTheWay();
        if (way === null) return true;
        await stand({ budget: way.bound.budget, spent: way.spent, need: error.need });
        return false;
      });
      await goOn();
    },
    hear,
    through: (llm) => ({
      ...llm,
      async complete(request) {
        const reply = await llm.complete(request);
        await goOn();
        return reply;
      },
    }),
  };
}

async function read(journal: Pick<Journal, "get">, attempt: Attempt): Promise<Standing> {
  const kept = await journal.get(attemptFact("cap", attempt));
  const cap = capSchema.safeParse(kept === null ? null : JSON.parse(kept));
  // What an earlier version noted and this one can't read must keep no heartbeat from being sent: the next call tells it anew.
  return cap.success ? cap.data : { at: null, times: 0, raises: 0 };
}

/** A raise is for the period in which it was given. */
function raisedBy(raises: readonly RaiseControl[], budget: Budget, now: number): Budget {
  const amounts = raises.filter(({ budget: id, at }) => id === budget.id && holds(budget, at, now)).map(({ amount }) => amount);
  return { ...budget, amount: Math.max(budget.amount, ...amounts) };
}

/** `desk-1's budget of $5.00 a day: $4.90 of it spent`. */
export function showCap({ budget, spent }: Pick<OverBudgetAt, "budget" | "spent">): string {
  return `${showBudget(budget)}: ${showAmount(budget.unit, spent)} of it spent`;
}
