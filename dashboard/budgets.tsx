/** The owner's budgets as they stand now: which binds first, each with its bar, and what stands still at one. */
import { showAmount, showBudget } from "#core/budget.ts";
import { amountOf } from "#core/budget-period.ts";
import { asItIs, bindsFirst, paceOf, resetsAt, shareOf, spentOf } from "#factory/budgets.ts";
import type { OwnerBudget } from "#ports/budgets.ts";
import { Ago, TaskLink } from "./figures.tsx";
import { Shape, State, taskMarks } from "./marks.tsx";
import type { BudgetsNow } from "./panels/budgets.query.ts";
import { many, plain } from "./text.ts";

/** From here on, per cent, a bar warns: the second of the alerts. */
const warnsAt = 80;

export function Budgets({ budgets: { all, still, stillCount }, now }: { budgets: BudgetsNow; now: number }) {
  const first = bindsFirst(all, now);
  return (
    <section aria-labelledby="budgets">
      <h2 id="budgets">Budgets now</h2>
      {all.length === 0 ? (
        <p class="empty">
          No budget is set: <code>/budget factory desk-1 day $5</code> in the chat sets one.
        </p>
      ) : (
        <>
          <p class="why">{first === null ? "Nothing is spent of any yet." : <strong>{firstOf(first, now)}</strong>}</p>
          <BudgetTable all={all} first={first} now={now} />
          <p class="aside after">
            “Reserved” is held back for calls under way at headquarters; what a machine holds back it knows itself. Dollars are list prices.
          </p>
        </>
      )}
      {still.length > 0 && <StandingStill still={still} more={stillCount - still.length} now={now} />}
    </section>
  );
}

function firstOf(one: OwnerBudget, now: number): string {
  const name = showBudget(asItIs(one, now));
  const usedUpAt = paceOf(one, now)?.usedUpAt ?? null;
  const why =
    shareOf(one, now) >= 100
      ? "it is used up"
      : usedUpAt === null
        ? `${shareOf(one, now)} % of it is spent, the largest share`
        : `at this pace it is used up on ${minuteOf(usedUpAt)}`;
  return `First to bind is ${name}: ${why}.`;
}

/** `2026-11-23 at 22:13 UTC`. */
function minuteOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " at ")} UTC`;
}

function BudgetTable({ all, first, now }: { all: readonly OwnerBudget[]; first: OwnerBudget | null; now: number }) {
  return (
    <section class="wide spend budgets" tabindex={0} aria-label="Budgets">
      <table>
        <caption class="hidden">
          Budgets: what is spent and reserved of each, when it begins anew, and what it comes to at this pace
        </caption>
        <thead>
          <tr>
            <th scope="col">Budget</th>
            {["Spent", "Reserved", "Left"].map((head) => (
              <th scope="col" class="n">
                {head}
              </th>
            ))}
            <th scope="col">Begins anew</th>
            <th scope="col">At this pace</th>
          </tr>
        </thead>
        <tbody>
          {all.map((one) => (
            <BudgetRow one={one} isFirst={one === first} now={now} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function BudgetRow({ one, isFirst, now }: { one: OwnerBudget; isFirst: boolean; now: number }) {
  const { budget, raise, reserved, live } = one;
  const { unit } = budget;
  const [spent, amount] = [spentOf(one), amountOf(budget, raise, now)];
  const usedUp = spent >= amount;
  return (
    <tr>
      <th scope="row">
        {plain(showBudget(asItIs(one, now)))}
        {amount > budget.amount && <span class="aside below">raised from {showAmount(unit, budget.amount)} for now</span>}
        <Bar spent={spent} reserved={reserved} amount={amount} />
        {usedUp ? (
          <span class="state bad">
            <Shape name="block" />
            used up
          </span>
        ) : (
          isFirst && (
            <span class="state warn">
              <Shape name="arrow" />
              binds first
            </span>
          )
        )}
      </th>
      <td class="n">
        {showAmount(unit, spent)}
        <span class="aside below">{shareOf(one, now)} %</span>
        {live > 0 && <span class="aside below">{showAmount(unit, live)} by tasks under way</span>}
      </td>
      <td class="n">{reserved > 0 && showAmount(unit, reserved)}</td>
      <td class="n">{showAmount(unit, Math.max(0, amount - spent - reserved))}</td>
      <td>{resetOf(one, now)}</td>
      <td>{paceText(one, now)}</td>
    </tr>
  );
}

/** What is spent, and behind it what is reserved, of the whole. */
function Bar({ spent, reserved, amount }: { spent: number; reserved: number; amount: number }) {
  const widthOf = (part: number) => Math.min(1000, (1000 * part) / amount);
  const tone = spent >= amount ? "bad" : spent * 100 >= amount * warnsAt ? "warn" : "busy";
  return (
    <svg class="used" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
      <rect width="1000" height="10" class="whole" />
      <rect width={widthOf(spent + reserved).toFixed(1)} height="10" class="held" />
      <rect width={widthOf(spent).toFixed(1)} height="10" class={tone} />
    </svg>
  );
}

function resetOf(one: OwnerBudget, now: number): string {
  const at = resetsAt(one, now);
  if (at === null) return "nothing of it counts now";
  return one.budget.period === "window" ? `bit by bit, from ${minuteOf(at)}` : minuteOf(at);
}

function paceText(one: OwnerBudget, now: number): string {
  const pace = paceOf(one, now);
  if (shareOf(one, now) >= 100) return "used up";
  if (pace?.usedUpAt) return `used up on ${minuteOf(pace.usedUpAt)}`;
  if (pace && pace.atEnd !== null) return `comes to ${showAmount(one.budget.unit, pace.atEnd)}`;
  if (one.budget.period === "window") return spentOf(one) > 0 ? "frees itself before it is used up, or too new to say" : "";
  return "too new to say";
}

function StandingStill({ still, more, now }: { still: BudgetsNow["still"]; more: number; now: number }) {
  return (
    <>
      <h3 class="after">{many(still.length + more, "task")} standing still at a budget</h3>
      <ul class="rows">
        {still.map(({ id, title, state, reason, ask, updatedAt }) => (
          <li id={`still-${id}`}>
            <State mark={taskMarks[state]} />
            <div>
              <TaskLink id={id} title={title} />
              <p class="aside">{plain(reason)}</p>
            </div>
            <span class="aside">
              {ask !== null && <a href={`/asks/${encodeURIComponent(ask)}`}>Decide: {ask}</a>} <Ago at={updatedAt} now={now} />
            </span>
          </li>
        ))}
      </ul>
      {more > 0 && <p class="aside after">And {more} more, newer.</p>}
    </>
  );
}
