/** Why a task cost what it cost: every model call, the parts of its tokens apart. */
import { showCost, showNanos } from "#core/ledger.ts";
import type { Call, TaskStory } from "./panels/task.query.ts";
import { digits, many, measured, plain } from "./text.ts";

export function Bill({ calls, total, live }: { calls: Call[]; total: TaskStory["total"]; live: number | null }) {
  const dearest = Math.max(1, ...calls.map((call) => call.cost ?? 0));
  return (
    <section aria-labelledby="cost">
      <h2 id="cost">
        Cost{" "}
        <span class="aside">{total.calls === 0 ? "nothing in the ledger yet" : `${showCost(total)} in ${many(total.calls, "call")}`}</span>
      </h2>
      {live !== null && live > total.cost && (
        <p class="aside">The factory's last heartbeat told {showNanos(live)}; the ledger has the calls when they are reported.</p>
      )}
      {calls.length > 0 && (
        <section class="wide" tabindex={0} aria-label="Cost by model call">
          <table>
            <caption class="hidden">Tokens and cost of each model call</caption>
            <thead>
              <tr>
                <th scope="col">Step</th>
                {["Cost", "Input", "Cached read", "Cached write", "Output", "Took"].map((column) => (
                  <th scope="col" class="n">
                    {column}
                  </th>
                ))}
                <th scope="col">Model</th>
              </tr>
            </thead>
            <tbody>
              {calls.map((call, i) => (
                <Row call={call} again={repeats(call, calls[i - 1])} dearest={dearest} />
              ))}
            </tbody>
            <tfoot>
              <tr class="total">
                <th scope="row">Total</th>
                <td class="n">{showCost(total)}</td>
                <td class="n">{digits(total.usage.uncachedIn)}</td>
                <td class="n">{digits(total.usage.cacheRead)}</td>
                <td class="n">{digits(total.usage.write5m + total.usage.write1h)}</td>
                <td class="n">{digits(total.usage.output)}</td>
                <td />
                <td>{calls.length < total.calls && `of ${digits(total.calls)} calls; the last ${calls.length} are shown`}</td>
              </tr>
            </tfoot>
          </table>
        </section>
      )}
    </section>
  );
}

/** The same step again: a retry, the first thing to look at when a bill is high. */
function repeats(call: Call, before: Call | undefined): boolean {
  return before !== undefined && before.epoch === call.epoch && before.step === call.step;
}

function Row({ call, again, dearest }: { call: Call; again: boolean; dearest: number }) {
  const { usage } = call;
  const remarks = [
    again && "again",
    call.outcome === "failed" && "failed",
    call.source !== "reported" && call.source,
    usage.reasoning > 0 && `${digits(usage.reasoning)} of output is reasoning`,
  ].filter((remark) => remark !== false);
  return (
    <tr id={`c-${call.id}`}>
      <th scope="row">{call.epoch > 1 ? `${call.epoch}.${call.step}` : call.step}</th>
      <td class="n">
        {call.cost === null ? "unpriced" : showNanos(call.cost)}
        <svg class="share" viewBox="0 0 100 3" preserveAspectRatio="none" aria-hidden="true">
          <rect width={Math.round((100 * (call.cost ?? 0)) / dearest)} height="3" class="run" />
        </svg>
      </td>
      <td class="n">{digits(usage.uncachedIn)}</td>
      <td class="n">{digits(usage.cacheRead)}</td>
      <td class="n">{digits(usage.write5m + usage.write1h)}</td>
      <td class="n">{digits(usage.output)}</td>
      <td class="n">{measured(call.durationMs)}</td>
      <td>
        {plain(call.model)} <span class="aside">{[plain(call.persona), ...remarks].join(" · ")}</span>
      </td>
    </tr>
  );
}
