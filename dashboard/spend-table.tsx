/** Spend as a table: a row for whoever, whatever or whenever it was, the kinds of token apart. */

import { showNanos } from "#core/ledger.ts";
import type { CostParts } from "#core/prices.ts";
import { briefly, kinds, splitKinds } from "./kinds.ts";
import type { Breakdown } from "./panels/costs.query.ts";
import type { Slice } from "./panels/spent.query.ts";
import { digits, many, plain } from "./text.ts";

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

export function SpendTable({ label, column, rows }: { label: string; column: string; rows: readonly Line[] }) {
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
                {row.calls > 0 && briefly(row)}
                {row.unpriced > 0 && row.unpriced < row.calls && <span class="aside below">{many(row.unpriced, "call")} unpriced</span>}
                <svg class="share" viewBox="0 0 100 3" preserveAspectRatio="none" aria-hidden="true">
                  <rect width={Math.round((100 * row.cost) / dearest)} height="3" class="run" />
                </svg>
              </td>
              {splitKinds.map((part) => (
                <PartCell row={row} part={part} />
              ))}
              <td class="n">{row.calls > 0 && briefly({ cost: row.billed, calls: row.calls, unpriced: row.unbilled })}</td>
              <td class="n">{row.calls > 0 && digits(row.calls)}</td>
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
      <span class="aside below">{digits(tokens)}</span>
    </td>
  );
}
