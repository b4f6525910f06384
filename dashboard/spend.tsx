/** Spend in pictures, each with its table: by the kind of token, and by day. */
import { showCost, showNanos, tokensOf } from "#core/ledger.ts";
import { allKinds, briefly, costOfKind, type Kind, kinds } from "./kinds.ts";
import type { Slice } from "./panels/spent.query.ts";
import { SpendTable } from "./spend-table.tsx";
import { digits, percent } from "./text.ts";

function Swatch({ kind }: { kind: Kind }) {
  return (
    <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
      <rect width="10" height="10" rx="2" class={kind} />
    </svg>
  );
}

/** One bar of what it all cost, by the kind of token, and the legend of the colours. */
export function Parts({ total }: { total: Slice }) {
  const here = allKinds.filter((kind) => kind !== "unsplit" || costOfKind(kind, total) > 0);
  let x = 0;
  return (
    <>
      <svg class="bar" viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true">
        {here.map((kind) => {
          const width = (1000 * costOfKind(kind, total)) / Math.max(1, total.cost);
          x += width;
          return <rect x={(x - width).toFixed(1)} width={width.toFixed(1)} height="12" class={kind} />;
        })}
      </svg>
      <section class="fitting" tabindex={0} aria-label="Cost by kind of token">
        <table class="phases">
          <caption class="hidden">Tokens and cost by kind of token</caption>
          <thead>
            <tr>
              <th scope="col">Kind</th>
              {["Tokens", "At list price"].map((column) => (
                <th scope="col" class="n">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {here.map((kind) => {
              const tokens = kinds[kind].tokens(total.usage);
              return (
                <tr>
                  <th scope="row">
                    <Swatch kind={kind} />
                    {kinds[kind].name}
                  </th>
                  <td>{tokens === null ? "" : digits(tokens)}</td>
                  <td>
                    {showNanos(costOfKind(kind, total))}
                    <span class="aside below">{percent(costOfKind(kind, total), total.cost)}</span>
                  </td>
                </tr>
              );
            })}
            <tr class="total">
              <th scope="row">Total</th>
              <td>{digits(tokensOf(total.usage))}</td>
              <td>{briefly(total)}</td>
            </tr>
          </tbody>
        </table>
      </section>
      <p class="aside after">
        {total.usage.reasoning > 0 && `${digits(total.usage.reasoning)} tokens of output are reasoning. `}
        {costOfKind("unsplit", total) > 0 &&
          "“Not split” was priced by a list that headquarters does not have, or recorded before parts were kept: its tokens are in the rows above."}
      </p>
    </>
  );
}

/** `2026-11-23`. */
export function dateOf(day: number): string {
  return new Date(day).toISOString().slice(0, 10);
}

/** Columns of the chart are this wide, and this high at most, in its own units. */
const [columnWidth, height] = [20, 100];

export function Days({ days }: { days: readonly (Slice & { day: number })[] }) {
  const [first, last] = [days[0], days.at(-1)];
  if (!first || !last) return null;
  const highest = days.reduce((most, day) => (day.cost > most.cost ? day : most), first);
  return (
    <>
      <svg
        class="columns"
        viewBox={`0 0 ${days.length * columnWidth} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label="Cost of each day at list price, by kind of token; the table below has the numbers"
      >
        {days.map((day, i) => (
          <Column day={day} x={i * columnWidth} most={highest.cost} />
        ))}
      </svg>
      <p class="axis aside">
        <span>{dateOf(first.day)}</span>
        <span>{highest.cost > 0 && `highest: ${showNanos(highest.cost)} on ${dateOf(highest.day)}`}</span>
        <span>{dateOf(last.day)}</span>
      </p>
      <details id="days-table">
        <summary>Each day in numbers</summary>
        <SpendTable label="Cost by day" column="Day" rows={days.toReversed().map((day) => ({ ...day, name: dateOf(day.day) }))} />
      </details>
    </>
  );
}

function Column({ day, x, most }: { day: Slice & { day: number }; x: number; most: number }) {
  let y = height;
  return (
    <g>
      <title>{`${dateOf(day.day)}: ${showCost(day)}`}</title>
      {allKinds
        .filter((kind) => costOfKind(kind, day) > 0)
        .map((kind) => {
          const part = (height * costOfKind(kind, day)) / Math.max(1, most);
          y -= part;
          return <rect x={x + 2} y={y.toFixed(2)} width={columnWidth - 4} height={part.toFixed(2)} class={kind} />;
        })}
    </g>
  );
}
