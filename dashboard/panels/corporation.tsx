/** The first page: one sentence, what is wrong, every factory, the newest tasks. */
import { livenesses } from "#core/fleet.ts";
import { showCost } from "#core/ledger.ts";
import { defaultPersonas } from "#core/persona.ts";
import { AskList } from "../asks.tsx";
import { FactoryCard } from "../factory-card.tsx";
import { Ago, Byline, TaskLink } from "../figures.tsx";
import { Shape, State, taskMarks } from "../marks.tsx";
import type { Ask, Panel } from "../panel.ts";
import { type Problem, problems } from "../problems.ts";
import { many, plain } from "../text.ts";
import { type Corporation, cardsShown, type FactoryRow, loadCorporation } from "./corporation.query.ts";

export const corporationPanel: Panel = {
  path: "/",
  nav: "Corporation",
  async show(ask) {
    const corporation = await loadCorporation(ask.db, ask.now);
    const found = problems(corporation, ask.now);
    return {
      title: found.length + corporation.asks.length > 0 ? `(${found.length + corporation.asks.length}) Corporation` : "Corporation",
      body: <CorporationView corporation={corporation} found={found} ask={ask} />,
      changesAt: corporation.changesAt,
    };
  },
};

function CorporationView({ corporation, found, ask }: { corporation: Corporation; found: Problem[]; ask: Ask }) {
  const from = Math.max(0, Number.parseInt(ask.query.from ?? "0", 10) || 0);
  const fleet = worstFirst(corporation.fleet);
  return (
    <>
      <Sentence corporation={corporation} />
      {corporation.asks.length > 0 && (
        <section aria-labelledby="asks">
          <h2 id="asks">{many(corporation.asks.length, "ask")}</h2>
          <AskList asks={corporation.asks} now={ask.now} hqUrl={ask.hqUrl} />
        </section>
      )}
      {found.length > 0 && <Problems found={found} now={ask.now} />}
      <section aria-labelledby="factories">
        <h2 id="factories">Factories</h2>
        {fleet.length === 0 ? (
          <NoFactories primary={ask.primary} />
        ) : (
          <div class="cards">
            {fleet.slice(from, from + cardsShown).map((factory) => (
              <FactoryCard factory={factory} now={ask.now} />
            ))}
          </div>
        )}
        <Pages from={from} of={fleet.length} />
        {corporation.elsewhere.map((row) => (
          <p class="aside after">
            {row.factory === "hq" ? `${ask.primary} at headquarters` : plain(row.factory)}: {showCost(row)} today in{" "}
            {many(row.calls, "call")}
          </p>
        ))}
      </section>
      <Recent corporation={corporation} ask={ask} />
    </>
  );
}

/** `1 of 1 factories online · 1 running · $0.0042 today`: what is zero and no news is left out. */
function Sentence({ corporation: { fleet, open, today } }: { corporation: Corporation }) {
  const count = (liveness: FactoryRow["liveness"]) => fleet.filter((factory) => factory.liveness === liveness).length;
  const parts = [
    fleet.length === 0 ? "No factories yet" : `${count("online")} of ${fleet.length} factories online`,
    ...livenesses.filter((word) => word !== "online" && count(word) > 0).map((word) => `${count(word)} ${word}`),
    `${open.running ?? 0} running`,
    ...(["dispatched", "queued", "waiting", "held", "awaiting_approval"] as const)
      .filter((state) => open[state])
      .map((state) => `${open[state]} ${taskMarks[state].word}`),
    `${showCost(today)} today`,
  ];
  // A line never begins with a dot: each goes with the part before it.
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

/** Offline with work, offline, stale, and so on; then by name, as they came. */
function worstFirst(fleet: readonly FactoryRow[]): FactoryRow[] {
  const rank = (f: FactoryRow) => {
    if (f.liveness === "offline") return f.tasks.length > 0 ? 0 : 1;
    return ["pending", "stale", "online", "draining", "paused"].indexOf(f.liveness) + 2;
  };
  return fleet.toSorted((a, b) => rank(a) - rank(b));
}

function Problems({ found, now }: { found: Problem[]; now: number }) {
  return (
    <section aria-labelledby="problems">
      <h2 id="problems">{many(found.length, "problem")}</h2>
      <ul class="problems">
        {found.map((problem) => (
          <li id={problem.id} class={problem.severe ? "bad" : "warn"}>
            <Shape name={problem.severe ? "triangle" : "diamond"} />
            <div>
              <strong>{problem.title}</strong>
              {problem.task && (
                <>
                  {" "}
                  <TaskLink {...problem.task} />
                </>
              )}
              <p>
                {problem.detail}
                {problem.at !== null && (
                  <>
                    {" · "}
                    <Ago at={problem.at} now={now} />
                  </>
                )}
              </p>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Pages({ from, of }: { from: number; of: number }) {
  if (of <= cardsShown && from === 0) return null;
  return (
    <nav class="pages" aria-label="More factories">
      {from > 0 && <a href={`/?from=${Math.max(0, from - cardsShown)}`}>Previous {cardsShown}</a>}
      {from + cardsShown < of && <a href={`/?from=${from + cardsShown}`}>Next {Math.min(cardsShown, of - from - cardsShown)}</a>}
    </nav>
  );
}

function Recent({ corporation, ask }: { corporation: Corporation; ask: Ask }) {
  return (
    <section aria-labelledby="recent">
      <h2 id="recent">Newest tasks</h2>
      {corporation.recent.length === 0 ? (
        <p class="empty">
          No task yet. Write to {ask.primary} in the chat what you want done, for example “in <code>demo</code>, make the tests pass”.
        </p>
      ) : (
        <ul class="rows">
          {corporation.recent.map((task) => (
            <li id={`r-${task.id}`}>
              <State mark={taskMarks[task.state]} />
              <TaskLink {...task} />
              <span class="aside">
                <Byline persona={task.persona} factory={task.factory} /> · <Ago at={task.updatedAt} now={ask.now} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function NoFactories({ primary }: { primary: string }) {
  return (
    <div class="empty">
      <p>No factory has joined yet. {primary} can talk, but nobody can work in your repositories.</p>
      <ol>
        <li>
          Send {primary} <code>/enrol desk-1</code> in the chat.
        </li>
        <li>Run the line that comes back on that desktop, in a clone of this project.</li>
        <li>Compare the fingerprint and approve. {defaultPersonas.branch.primary} then reports here within half a minute.</li>
      </ol>
    </div>
  );
}
