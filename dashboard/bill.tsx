/** Why a task cost what it cost: said first, then every step, the parts of its tokens apart. */
import { showCost, showNanos, type Total } from "#core/ledger.ts";
import { cacheHits } from "./kinds.ts";
import type { StoryLine } from "./panels/task.query.ts";
import type { TaskCost } from "./panels/task-cost.query.ts";
import { reasons, stepName, type ToldStep, told } from "./steps.ts";
import { digits, many, measured, plain } from "./text.ts";

const columns = ["Cost", "Input", "Cached read", "Cached write", "Output", "From cache", "Took"];

export function Bill({ cost, total, events, live }: { cost: TaskCost; total: Total; events: StoryLine[]; live: number | null }) {
  const steps = told(cost.steps, events);
  const dearest = Math.max(1, cost.dearest?.cost ?? 0);
  return (
    <section aria-labelledby="cost">
      <h2 id="cost">
        {total.cost > 0 ? `Why this cost ${showCost(total)}` : "Cost"}{" "}
        <span class="aside">
          {total.calls === 0
            ? "nothing in the ledger yet"
            : `${total.cost > 0 ? "" : `${showCost(total)} `}in ${many(total.calls, "call")}`}
        </span>
      </h2>
      {live !== null && live > total.cost && (
        <p class="aside">The factory's last heartbeat told {showNanos(live)}; the ledger has the calls when they are reported.</p>
      )}
      {total.calls > 0 && (
        <>
          {reasons(cost, steps, total).map((reason, i) => (
            <p class={i === 0 ? "why" : "why aside"}>{reason}</p>
          ))}
          <section class="wide" tabindex={0} aria-label="Cost by step">
            <table>
              <caption class="hidden">Tokens and cost of each step</caption>
              <thead>
                <tr>
                  <th scope="col">Step</th>
                  {columns.map((column) => (
                    <th scope="col" class="n">
                      {column}
                    </th>
                  ))}
                  <th scope="col">Model</th>
                </tr>
              </thead>
              <tbody>
                {steps.map((step) => (
                  <Row step={step} dearest={dearest} />
                ))}
              </tbody>
              <tfoot>
                <tr class="total">
                  <th scope="row">Total</th>
                  <td class="n">{showCost(total)}</td>
                  <Tokens usage={total.usage} />
                  <td />
                  <td>
                    {steps.reduce((calls, step) => calls + step.calls, 0) < total.calls && `the last ${steps.length} steps are shown`}
                  </td>
                </tr>
              </tfoot>
            </table>
          </section>
        </>
      )}
    </section>
  );
}

function Row({ step, dearest }: { step: ToldStep; dearest: number }) {
  const { usage, calls, failed, interrupted, unsure } = step;
  const marks = [calls > 1 && `${calls} calls`, step.times > 1 && `the same call, time ${step.times}`].filter((mark) => mark !== false);
  const remarks = [
    failed > 0 && `${failed === calls ? "" : `${failed} `}failed`,
    interrupted > 0 && `${interrupted === calls ? "" : `${interrupted} `}interrupted`,
    unsure > 0 && "tokens not told whole",
    usage.reasoning > 0 && `${digits(usage.reasoning)} of output is reasoning`,
  ].filter((remark) => remark !== false);
  return (
    <tr id={`s-${step.epoch}-${step.step}`}>
      <th scope="row">{stepName(step)}</th>
      <td class="n">
        {showCost(step)}
        <svg class="share" viewBox="0 0 100 3" preserveAspectRatio="none" aria-hidden="true">
          <rect width={Math.round((100 * step.cost) / dearest)} height="3" class="run" />
        </svg>
      </td>
      <Tokens usage={usage} />
      <td class="n">{measured(step.durationMs)}</td>
      <td>
        {step.models.map(plain).join(", ")} <span class="aside">{[...step.personas.map(plain), ...remarks].join(" · ")}</span>
        {marks.length > 0 && <strong class="warn"> {marks.join(" · ")}</strong>}
        {step.did !== null && <p class="aside did">{plain(step.did)}</p>}
      </td>
    </tr>
  );
}

function Tokens({ usage }: { usage: Total["usage"] }) {
  return (
    <>
      <td class="n">{digits(usage.uncachedIn)}</td>
      <td class="n">{digits(usage.cacheRead)}</td>
      <td class="n">{digits(usage.write5m + usage.write1h)}</td>
      <td class="n">{digits(usage.output)}</td>
      <td class="n">{cacheHits(usage)}</td>
    </>
  );
}
