/** Spend in pictures, each with its table: by the kind of token, by day, by whoever or whatever spent it. */
import type { CostParts } from "#core/cost-parts.ts";
import { showBilled, showCost, showNanos, tokensOf, type Usage } from "#core/ledger.ts";
import type { Breakdown } from "./panels/costs.query.ts";
import type { Slice } from "./panels/spent.query.ts";
import { digits, many, plain } from "./text.ts";

type Kind = keyof CostParts | "unsplit";

const kinds: Readonly<Record<Kind, { name: string; tokens(usage: Usage): number | null }>> = {
  input: { name: "Input", tokens: (usage) => usage.uncachedIn },
  cacheRead: { name: "Cached read", tokens: (usage) => usage.cacheRead },
  cacheWrite: { name: "Cached write", tokens: (usage) => usage.write5m + usage.write1h },
  output: { name: "Output", tokens: (usage) => usage.output },
  unsplit: { name: "Not split", tokens: () => null },
};
const splitKinds = ["input", "cacheRead", "cacheWrite", "output"] as const;
const shown: readonly Kind[] = [...splitKinds, "unsplit"];

/** Nano-dollars. */
function costOfKind(kind: Kind, { cost, parts }: Slice): number {
  return kind === "unsplit" ? cost - parts.input - parts.cacheRead - parts.cacheWrite - parts.output : parts[kind];
}

/** `12 %`; of nothing, nothing. What is not nothing is never shown as 0 %. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return "";
  const share = (100 * part) / whole;
  return share > 0 && share < 1 ? "<1 %" : `${Math.round(share)} %`;
}

/** How much of the input came out of a cache; empty where there was none. */
export function cacheHits({ uncachedIn, cacheRead, write5m, write1h }: Usage): string {
  return percent(cacheRead, uncachedIn + cacheRead + write5m + write1h);
}

function Swatch({ kind }: { kind: Kind }) {
  return (
    <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
      <rect width="10" height="10" rx="2" class={kind} />
    </svg>
  );
}

/** One bar of what it all cost, by the kind of token, and the legend of the colours. */
export function Parts({ total }: { total: Slice }) {
  const here = shown.filter((kind) => kind !== "unsplit" || costOfKind(kind, total) > 0);
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
      <table class="phases">
        <caption class="hidden">Tokens and cost by kind of token</caption>
        <thead>
          <tr>
            <th scope="col">Kind</th>
            {["Tokens", "At list price", "Share"].map((column) => (
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
                <td>{showNanos(costOfKind(kind, total))}</td>
                <td>{percent(costOfKind(kind, total), total.cost)}</td>
              </tr>
            );
          })}
          <tr class="total">
            <th scope="row">Total</th>
            <td>{digits(tokensOf(total.usage))}</td>
            <td>{showCost(total)}</td>
            <td />
          </tr>
        </tbody>
      </table>
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
      {shown
        .filter((kind) => costOfKind(kind, day) > 0)
        .map((kind) => {
          const part = (height * costOfKind(kind, day)) / Math.max(1, most);
          y -= part;
          return <rect x={x + 2} y={y.toFixed(2)} width={columnWidth - 4} height={part.toFixed(2)} class={kind} />;
        })}
    </g>
  );
}

/** `column` is what its rows are; `href` leads to a page of one of them alone. */
export function BreakdownTable(props: { label: string; column: string; of: Breakdown; href(row: Breakdown["rows"][number]): string }) {
  const { label, column, of, href } = props;
  const rest = of.rest === null ? [] : [{ ...of.rest, name: `${many(of.rest.groups, "other")}, each for less` }];
  const rows = of.rows.map((row) => {
    const [name = "", ...more] = row.names;
    return { ...row, name, more: more.join(" · "), href: href(row) };
  });
  return <SpendTable label={label} column={column} rows={[...rows, ...rest]} />;
}

type Line = Slice & { name: string; more?: string; href?: string };

function SpendTable({ label, column, rows }: { label: string; column: string; rows: readonly Line[] }) {
  const dearest = Math.max(1, ...rows.map((row) => row.cost));
  return (
    <section class="wide spend" tabindex={0} aria-label={label}>
      <table>
        <caption class="hidden">{label}: at list price by kind of token, with the tokens; and what is billed</caption>
        <thead>
          <tr>
            <th scope="col">{column}</th>
            {["At list price", ...splitKinds.map((part) => kinds[part].name), "Billed", "Calls"].map((head) => (
              <th scope="col" class="n">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr>
              <th scope="row">
                {row.href === undefined ? plain(row.name) : <a href={row.href}>{plain(row.name)}</a>}
                {row.more && <span class="aside"> {plain(row.more)}</span>}
              </th>
              <td class="n">
                {row.calls === 0 ? "" : showCost(row)}
                <svg class="share" viewBox="0 0 100 3" preserveAspectRatio="none" aria-hidden="true">
                  <rect width={Math.round((100 * row.cost) / dearest)} height="3" class="run" />
                </svg>
              </td>
              {splitKinds.map((part) => (
                <PartCell row={row} part={part} />
              ))}
              <td class="n">{row.calls === 0 ? "" : showBilled(row)}</td>
              <td class="n">{row.calls === 0 ? "" : digits(row.calls)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Tokens below their cost; the tokens alone where nothing of the row could be split. */
function PartCell({ row, part }: { row: Slice; part: keyof CostParts }) {
  const tokens = kinds[part].tokens(row.usage) ?? 0;
  if (tokens === 0) return <td class="n" />;
  return (
    <td class="n">
      {splitKinds.some((one) => row.parts[one] > 0) && showNanos(row.parts[part])}
      <span class="aside tokens">{digits(tokens)}</span>
    </td>
  );
}
