/** What the corporation spends, by day, factory, VP and model: from the ledger, never from what is told meanwhile. */
import { dayMs, startOfDay } from "#core/day.ts";
import { showBilled, showCost, showNanos, tokensOf } from "#core/ledger.ts";
import { Budgets } from "../budgets.tsx";
import { briefly, cacheHits } from "../kinds.ts";
import type { Panel } from "../panel.ts";
import { Days, dateOf, Parts } from "../spend.tsx";
import { BreakdownTable } from "../spend-table.tsx";
import { digits, many, plain } from "../text.ts";
import { type Costs, type Filter, loadCosts, type Period, periods, type Span, spanOf } from "./costs.query.ts";

/** What a reader may narrow the page to, and how it is called. */
const filters = { factory: "factory", seat: "VP", provider: "provider", model: "model" } as const satisfies Record<keyof Filter, string>;

interface View {
  span: Span;
  filter: Filter;
  now: number;
}

export const costsPanel: Panel = {
  path: "/costs",
  nav: "Costs",
  async show({ db, now, query }) {
    const period = query.period !== undefined && Object.hasOwn(periods, query.period) ? (query.period as Period) : "7d";
    const span = spanOf(period, dayOf(query.on, now));
    const names = Object.keys(filters) as (keyof Filter)[];
    const filter: Filter = Object.fromEntries(names.flatMap((name) => (query[name] ? [[name, query[name]]] : [])));
    const costs = await loadCosts(db, span, filter, now);
    return { title: "Costs", body: <CostsView costs={costs} view={{ span, filter, now }} />, changesAt: startOfDay(now) + dayMs };
  },
};

/** `2026-11-23` in the address; what is no day that was is today. */
function dayOf(on: string | undefined, now: number): number {
  const at = /^\d{4}-\d\d-\d\d$/.test(on ?? "") ? Date.parse(`${on}T00:00:00Z`) : Number.NaN;
  return at >= 0 && at <= now ? at : startOfDay(now);
}

function CostsView({ costs, view }: { costs: Costs; view: View }) {
  const { total } = costs;
  const narrowed = (only: Filter) => address(view, { ...view.filter, ...only });
  return (
    <>
      <Sentence costs={costs} />
      <Choices view={view} />
      {total.calls === 0 ? (
        <p class="empty">No call of a model was recorded in these days{Object.keys(view.filter).length > 0 && " that fits this choice"}.</p>
      ) : (
        <>
          <Facts costs={costs} />
          <section aria-labelledby="parts">
            <h2 id="parts">What it was spent on</h2>
            <Parts total={total} />
          </section>
          {costs.days.length > 1 && (
            <section aria-labelledby="days">
              <h2 id="days">Day by day</h2>
              <Days days={costs.days} />
            </section>
          )}
          <section aria-labelledby="factories">
            <h2 id="factories">By factory</h2>
            <BreakdownTable label="Cost by factory" column="Factory" of={costs.factories} href={(row) => narrowed(row.only)} />
          </section>
          <section aria-labelledby="vps">
            <h2 id="vps">By VP</h2>
            <BreakdownTable label="Cost by VP" column="Who" of={costs.vps} href={(row) => narrowed(row.only)} />
          </section>
          <section aria-labelledby="models">
            <h2 id="models">By model</h2>
            <BreakdownTable label="Cost by model" column="Provider and model" of={costs.models} href={(row) => narrowed(row.only)} />
          </section>
          <p class="aside after">
            A call counts on the day on which headquarters heard of it. List prices are those of the day; “unpriced” is what no list knows,
            so that a sum with it is a floor.
          </p>
        </>
      )}
      <Budgets budgets={costs.budgets} now={view.now} />
    </>
  );
}

/** `≥ $4.21 at list price · $0.40 billed · 2 of 31 calls unpriced`. */
function Sentence({ costs: { total } }: { costs: Costs }) {
  const calls = total.unpriced === 0 ? many(total.calls, "call") : `${digits(total.unpriced)} of ${many(total.calls, "call")} unpriced`;
  const billed = briefly({ ...total, cost: total.billed, unpriced: total.unbilled });
  const parts = [`${briefly(total)} at list price`, `${billed} billed`, calls];
  return (
    <h1>
      {parts.map((part, i) => (
        <>
          <span class="part">{i < parts.length - 1 ? `${part} ·` : part}</span>{" "}
        </>
      ))}
    </h1>
  );
}

function Choices({ view }: { view: View }) {
  const { span, filter, now } = view;
  const chosen = (Object.entries(filter) as [keyof Filter, string][]).map(([name, value]) => ({ name, value }));
  const without = (name: keyof Filter) => Object.fromEntries(chosen.flatMap((one) => (one.name === name ? [] : [[one.name, one.value]])));
  return (
    <>
      <nav class="tabs filters" aria-label="Period">
        {(Object.keys(periods) as Period[]).map((period) => (
          <a href={address({ ...view, span: { ...span, period } }, filter)} aria-current={period === span.period ? "true" : undefined}>
            {periods[period]}
          </a>
        ))}
      </nav>
      <nav class="pages" aria-label="Other days">
        <a href={address(view, filter, span.from - dayMs)}>Earlier</a>
        <span>{span.to - span.from === dayMs ? dateOf(span.from) : `${dateOf(span.from)} to ${dateOf(span.to - dayMs)}`}</span>
        {span.to <= now && <a href={address(view, filter, Math.min(endOfNext(span), startOfDay(now)))}>Later</a>}
      </nav>
      {chosen.length > 0 && (
        <nav class="pages" aria-label="Narrowed to">
          {chosen.map(({ name, value }) => (
            <a href={address(view, without(name))}>
              Only {filters[name]} {plain(value)}: show all
            </a>
          ))}
        </nav>
      )}
    </>
  );
}

/** The last day of the span after this one; of a month its first, which names it as well. */
function endOfNext({ period, from, to }: Span): number {
  return period === "month" ? to : to + (to - from) - dayMs;
}

/** `on`: a day of the span, in milliseconds; the address of a span that ends today names none, so that it moves on. */
function address({ span, now }: View, filter: Filter, on = Math.min(span.to - dayMs, startOfDay(now))): string {
  const query = new URLSearchParams();
  if (span.period !== "7d") query.set("period", span.period);
  if (on < startOfDay(now)) query.set("on", dateOf(on));
  for (const [name, value] of Object.entries(filter)) query.set(name, value);
  return query.size === 0 ? "/costs" : `/costs?${query}`;
}

/** Plans and own machines beside what is billed, and what nobody can price. Each only where there is some. */
function Facts({ costs: { total, byBilling } }: { costs: Costs }) {
  const { subscription, local } = byBilling;
  const hits = cacheHits(total.usage);
  return (
    <dl class="facts">
      <div>
        <dt>Billed</dt>
        <dd>{showBilled(total)}</dd>
      </div>
      {subscription && (
        <div>
          <dt>Paid by plans</dt>
          <dd>
            {showNanos(subscription.billed)} billed, {showCost(subscription)} at list price, {digits(tokensOf(subscription.usage))} tokens
          </dd>
        </div>
      )}
      {local && (
        <div>
          <dt>On own machines</dt>
          <dd>
            {showNanos(local.billed)} billed, {digits(tokensOf(local.usage))} tokens
          </dd>
        </div>
      )}
      {total.unpriced > 0 && (
        <div>
          <dt>Unpriced</dt>
          <dd>
            {digits(total.unpriced)} of {many(total.calls, "call")}
          </dd>
        </div>
      )}
      <div>
        <dt>Tokens</dt>
        <dd>{digits(tokensOf(total.usage))}</dd>
      </div>
      {hits !== "" && (
        <div>
          <dt>Read from cache</dt>
          <dd>{hits} of input</dd>
        </div>
      )}
    </dl>
  );
}
