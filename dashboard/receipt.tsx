/** What the executor measured. */
import { isDoubtful } from "#core/evidence.ts";
import { showCost, tokensOf } from "#core/ledger.ts";
import type { Receipt, TestRun } from "#core/receipt.ts";
import { showSetupRun } from "#factory/setup-words.ts";
import { Printed } from "./figures.tsx";
import { type Mark, State, verdictMarks } from "./marks.tsx";
import { digits, many, measured, plain } from "./text.ts";

export function ReceiptView({ receipt }: { receipt: Receipt }) {
  const { diffstat } = receipt;
  return (
    <section aria-labelledby="receipt">
      <h2 id="receipt">
        Receipt <State mark={verdictMarks[receipt.verdict]} />
      </h2>
      <p class="receipt-why">{plain(receipt.why)}</p>
      <Flags flags={receipt.flags} />
      <dl class="facts">
        <div>
          <dt>Commits</dt>
          <dd>
            <code>{receipt.base?.slice(0, 10) ?? "none"}</code> → <code>{receipt.head?.slice(0, 10) ?? "none"}</code>
          </dd>
        </div>
        <div>
          <dt>Branch</dt>
          <dd>{receipt.branch === null ? "none" : <code>{plain(receipt.branch)}</code>}</dd>
        </div>
        <div>
          <dt>Change</dt>
          <dd>
            {many(diffstat.files, "file")} <span class="plus">+{diffstat.insertions}</span> <span class="minus">−{diffstat.deletions}</span>
          </dd>
        </div>
        <div>
          <dt>Work</dt>
          <dd>
            {many(receipt.steps, "step")} in {measured(receipt.wallMs)}
          </dd>
        </div>
        {receipt.usage && (
          <div>
            <dt>Spent</dt>
            <dd>
              {showCost(receipt.usage)} in {many(receipt.usage.calls, "model call")}, {many(tokensOf(receipt.usage.usage), "token")}
            </dd>
          </div>
        )}
        {receipt.replayed && (
          <div>
            <dt>Began with</dt>
            <dd>
              {many(receipt.replayed.files, "uncommitted file")} on <code>{receipt.replayed.from.slice(0, 10)}</code>
              {receipt.replayed.left.length > 0 && `, without ${plain(receipt.replayed.left.join(", "))}`}
            </dd>
          </div>
        )}
        {receipt.setup && (
          <div>
            <dt>Set-up</dt>
            <dd>{plain(showSetupRun(receipt.setup))}</dd>
          </div>
        )}
        <div>
          <dt>Limits hit</dt>
          <dd>{receipt.limitsHit.length === 0 ? "none" : plain(receipt.limitsHit.join(", "))}</dd>
        </div>
        {receipt.approvals.length > 0 && (
          <div>
            <dt>Approvals used</dt>
            <dd>{plain(receipt.approvals.join(", "))}</dd>
          </div>
        )}
      </dl>
      <div class="pair">
        <Tests id="before" title="Tests before" run={receipt.testsBefore} />
        <Tests id="after" title="Tests after" run={receipt.testsAfter} />
        {receipt.testsOfBase && <Tests id="of-base" title="The earlier tests, after" run={receipt.testsOfBase} />}
      </div>
      <Commands runs={receipt.commands} />
    </section>
  );
}

/** What speaks against the tests, and what is only told of them. */
function Flags({ flags }: Pick<Receipt, "flags">) {
  if (flags.length === 0) return null;
  return (
    <ul class="flags" aria-label="What was seen of the tests">
      {flags.map((flag) => (
        <li>
          <State mark={isDoubtful(flag) ? doubt : note} /> {plain(flag.text)}
        </li>
      ))}
    </ul>
  );
}

const doubt: Mark = { tone: "warn", shape: "triangle", word: "doubt" };
const note: Mark = { tone: "idle", shape: "disc", word: "note" };

function Tests({ id, title, run }: { id: string; title: string; run: TestRun | null }) {
  return (
    <div>
      <h3>{title}</h3>
      {run === null ? (
        <p class="aside">not run</p>
      ) : (
        <>
          <p>
            <Exit code={run.exitCode} /> <code>{plain(run.command)}</code> <span class="aside">{measured(run.durationMs)}</span>
            {run.counted && <span class="aside">{counts(run.counted)}</span>}
          </p>
          <details id={`tests-${id}`}>
            <summary>Output, its end</summary>
            <Printed label={`Output of ${title.toLowerCase()}`}>{plain(run.tail) || "(nothing printed)"}</Printed>
          </details>
        </>
      )}
    </div>
  );
}

function counts({ ran, skipped }: NonNullable<TestRun["counted"]>) {
  return ` ${many(ran, "test")} ran${skipped > 0 ? `, ${digits(skipped)} skipped` : ""}`;
}

function Commands({ runs }: { runs: Receipt["commands"] }) {
  if (runs.length === 0) return <p class="aside">No commands were run.</p>;
  const failed = runs.filter((run) => run.exitCode !== 0).length;
  return (
    <details id="commands">
      <summary>
        {many(runs.length, "command")}
        {failed > 0 && `, ${failed} not ending with 0`}
      </summary>
      <ol class="commands">
        {runs.map((run) => (
          <li>
            <Exit code={run.exitCode} /> <code>{plain(run.command)}</code> <span class="aside">{measured(run.durationMs)}</span>
          </li>
        ))}
      </ol>
    </details>
  );
}

function Exit({ code }: { code: number | null }) {
  if (code === null) return <State mark={{ tone: "bad", shape: "hourglass", word: "did not end" }} />;
  if (code === 0) return <State mark={{ tone: "good", shape: "check", word: "exit 0" }} />;
  return <State mark={{ tone: "bad", shape: "cross", word: `exit ${code}` }} />;
}
