/** One factory: is it there, what can it do, what is it doing, what has it cost. */
import { capabilities, capabilityNames } from "#core/capability.ts";
import type { FactoryFacts } from "#core/envelope.ts";
import { showModels } from "#core/fleet.ts";
import { showCost } from "#core/ledger.ts";
import { Ago, Since, TaskLink } from "./figures.tsx";
import { livenessMarks, State, taskMarks } from "./marks.tsx";
import type { FactoryRow } from "./panels/corporation.query.ts";
import { measured, plain } from "./text.ts";

export function FactoryCard({ factory, now }: { factory: FactoryRow; now: number }) {
  const { facts } = factory;
  return (
    <article id={`f-${factory.id}`} class="card" aria-labelledby={`n-${factory.id}`}>
      <header>
        <h3 id={`n-${factory.id}`}>{plain(factory.name)}</h3>
        <State mark={livenessMarks[factory.liveness]} />
      </header>
      <p class="aside">
        {factory.role} · <code>{factory.id}</code>
        {factory.statusReason !== "" && ` · ${plain(factory.statusReason)}`}
      </p>
      <dl class="facts">
        <div>
          <dt>Heartbeat</dt>
          <dd>{factory.lastHeartbeatAt === null ? "never" : <Ago at={factory.lastHeartbeatAt} now={now} />}</dd>
        </div>
        <div>
          <dt>Round trip</dt>
          <dd>{factory.rttMs === null ? "not measured" : measured(factory.rttMs)}</dd>
        </div>
        <div>
          <dt>Connected for</dt>
          <dd>
            {factory.connectedSince === null || factory.liveness === "offline" ? (
              "not connected"
            ) : (
              <Since at={factory.connectedSince} now={now} />
            )}
          </dd>
        </div>
        <div>
          <dt>Today</dt>
          <dd>{showCost(factory.today)}</dd>
        </div>
      </dl>
      {facts ? (
        <Abilities facts={facts} busy={factory.tasks.length} />
      ) : (
        <p class="aside">It has not told what it can do: no heartbeat yet.</p>
      )}
      {factory.tasks.length > 0 && (
        <ul class="plain">
          {factory.tasks.map((task) => (
            <li>
              <State mark={taskMarks[task.state]} /> <TaskLink {...task} />
              <span class="aside"> {[task.persona, task.step > 0 && `step ${task.step}`].filter(Boolean).join(" · ")}</span>
            </li>
          ))}
        </ul>
      )}
    </article>
  );
}

function Abilities({ facts, busy }: { facts: FactoryFacts; busy: number }) {
  const { primary, coder, general } = facts.personas;
  return (
    <>
      <div>
        <p>{plain(`${primary}, ${coder}, ${general}`)}</p>
        <p class="aside">
          {plain(showModels(facts))} · version {plain(facts.version)}
        </p>
      </div>
      <p class="slots">
        <Slots busy={busy} of={facts.slots} />
        {`${busy}/${facts.slots} ${facts.slots === 1 ? "slot" : "slots"} busy`}
      </p>
      <ul class="chips" aria-label="Capabilities">
        {capabilityNames.map((name) => (
          <li class={facts.capabilities[name] ? "on" : "off"}>
            {capabilities[name].label}: {facts.capabilities[name] ? "Enabled" : "Disabled"}
          </li>
        ))}
      </ul>
      <p class="aside">
        {facts.workspaces.length === 0 ? "no workspaces registered" : `workspaces: ${facts.workspaces.map(plain).join(", ")}`}
      </p>
    </>
  );
}

/** One square a slot, filled from the left; the numbers stand beside it. At most twelve: more are told by the numbers alone. */
function Slots({ busy, of }: { busy: number; of: number }) {
  if (of > 12) return null;
  return (
    <svg class="squares" viewBox={`0 0 ${of * 12} 10`} width={of * 12} height="10" aria-hidden="true">
      {Array.from({ length: of }, (_, i) => (
        <rect x={i * 12 + 0.5} y="0.5" width="9" height="9" rx="2" class={i < busy ? "busy" : "free"} />
      ))}
    </svg>
  );
}
