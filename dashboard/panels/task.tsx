/** One task from the owner's message to its receipt. */
import { showCost, showNanos } from "#core/ledger.ts";
import type { Limits } from "#core/limits.ts";
import { isTerminal, leasedStates, type TaskState } from "#core/task.ts";
import { wishesOf } from "#factory/card.ts";
import { AskList } from "../asks.tsx";
import { Bill } from "../bill.tsx";
import { Diff } from "../diff.tsx";
import { Ago, Byline, Printed, Since, TaskLink } from "../figures.tsx";
import { FollowedView, FollowUps } from "../follow-ups.tsx";
import { type Mark, State, taskMarks, verdictMarks } from "../marks.tsx";
import type { Panel } from "../panel.ts";
import { ReceiptView } from "../receipt.tsx";
import { digits, many, measured, plain } from "../text.ts";
import { Timeline } from "../timeline.tsx";
import { type Attempt, loadTask, type TaskStory } from "./task.query.ts";

export const taskPanel: Panel = {
  path: "/tasks/:id",
  nav: null,
  async show({ db, now, params, hqUrl }) {
    const story = await loadTask(db, params.id ?? "");
    if (!story) return null;
    return {
      title: `${taskMarks[story.task.state].word}: ${plain(story.task.title)}`,
      body: <TaskView story={story} now={now} hqUrl={hqUrl} />,
    };
  },
};

function TaskView({ story, now, hqUrl }: { story: TaskStory; now: number; hqUrl: string | null }) {
  const { task, receipt } = story;
  const leased = (leasedStates as readonly TaskState[]).includes(task.state);
  return (
    <>
      <h1>{plain(task.title)}</h1>
      <p class="lead">
        <State mark={taskMarks[task.state]} /> {receipt && !receipt.followed && <State mark={verdictMarks[receipt.verdict]} />}
        {task.reason !== "" && <span> {plain(task.reason)}</span>}
      </p>
      {task.cancelRequested !== null && !isTerminal(task.state) && (
        <p class="notice">Cancel asked for: {plain(task.cancelRequested)}. Its factory is told by the bus and with its next heartbeat.</p>
      )}
      {story.asks.length > 0 && (
        <section aria-labelledby="asks">
          <h2 id="asks">{many(story.asks.length, "ask")}</h2>
          <AskList asks={story.asks} now={now} hqUrl={hqUrl} />
        </section>
      )}
      <Facts story={story} now={now} leased={leased} />
      <section aria-labelledby="asked">
        <h2 id="asked">What was asked</h2>
        <p class="prose">{plain(task.instruction)}</p>
      </section>
      {task.summary !== "" && (
        <section aria-labelledby="said">
          <h2 id="said">
            What <Byline persona={task.persona} factory={task.factory} /> says
          </h2>
          <p class="prose">{plain(task.summary)}</p>
        </section>
      )}
      <FollowUps story={story} hqUrl={hqUrl} />
      {receipt?.followed && <FollowedView followed={receipt.followed} why={receipt.why} />}
      {receipt && !receipt.followed && <ReceiptView receipt={receipt} />}
      {!receipt && isTerminal(task.state) && <NoReceipt unreadable={story.receiptUnreadable} />}
      {receipt && <Patch story={story} />}
      <Timeline task={task} attempts={story.attempts} events={story.events} now={now} />
      {story.attempts.length > 0 && <Attempts attempts={story.attempts} now={now} />}
      <Bill cost={story.cost} total={story.total} events={story.events} live={leased ? task.liveCost : null} />
      {task.log !== "" && (
        <section aria-labelledby="log">
          <h2 id="log">Log</h2>
          <details id="log-text">
            <summary>The end of the factory's log</summary>
            <Printed label="The end of the log">{plain(task.log)}</Printed>
          </details>
        </section>
      )}
    </>
  );
}

function Facts({ story, now, leased }: { story: TaskStory; now: number; leased: boolean }) {
  const { task, limits } = story;
  const wishes = wishesOf(task);
  return (
    <dl class="facts">
      <div>
        <dt>Task</dt>
        <dd>
          <code>{task.id}</code>
        </dd>
      </div>
      <div>
        <dt>By</dt>
        <dd>
          <Byline persona={task.persona} factory={story.factoryName ?? task.factory} />
        </dd>
      </div>
      <div>
        <dt>Kind</dt>
        <dd>
          {story.follow ? (
            <>
              {"follow-up of "}
              <TaskLink id={story.follow.of} title="" />
            </>
          ) : task.kind === null ? (
            "whichever VP fits"
          ) : (
            `VP ${task.kind}`
          )}
          {task.workspace !== null && (
            <>
              {" in "}
              <code>{plain(task.workspace)}</code>
            </>
          )}
          {task.requireVerified && ", must be verified"}
        </dd>
      </div>
      {wishes !== "" && (
        <div>
          <dt>Wishes</dt>
          <dd>{plain(wishes)}</dd>
        </div>
      )}
      <div>
        <dt>Asked</dt>
        <dd>
          <Ago at={task.receivedAt} now={now} />
        </dd>
      </div>
      <div>
        <dt>Cost</dt>
        <dd>{story.total.calls === 0 ? "none yet" : showCost(story.total)}</dd>
      </div>
      {leased && (
        <div>
          <dt>Now</dt>
          <dd>
            step {task.step}
            {task.leaseUntil !== null && task.leaseUntil < now && ", lease over: the factory is silent"}
          </dd>
        </div>
      )}
      {limits && (
        <div>
          <dt>Limits</dt>
          <dd>{showLimits(limits)}</dd>
        </div>
      )}
    </dl>
  );
}

function showLimits(limits: Limits): string {
  return `${showNanos(limits.usd)} · ${digits(limits.tokens)} tokens · ${limits.steps} steps · ${measured(limits.wallS * 1000)}`;
}

function NoReceipt({ unreadable }: { unreadable: boolean }) {
  return (
    <section aria-labelledby="receipt">
      <h2 id="receipt">Receipt</h2>
      <p class="empty">
        {unreadable
          ? "A receipt is stored that this version can't read; nothing of it is shown."
          : "None: nothing was measured, so nothing is claimed."}
      </p>
    </section>
  );
}

function Patch({ story: { task, receipt } }: { story: TaskStory }) {
  if (receipt?.patch) return <Diff patch={receipt.patch} task={task.id} />;
  if (!receipt?.patchSha256) return null;
  return (
    <section aria-labelledby="diff">
      <h2 id="diff">Diff</h2>
      <p class="empty">
        Too large for the bus: it is on {task.factory ?? "the factory"}
        {receipt.branch !== null && (
          <>
            {", branch "}
            <code>{plain(receipt.branch)}</code>
          </>
        )}
        . SHA-256 <code>{plain(receipt.patchSha256)}</code>
      </p>
      {receipt.diffstat.text !== "" && <Printed label="Diffstat">{plain(receipt.diffstat.text)}</Printed>}
    </section>
  );
}

function attemptMark(attempt: Attempt): Mark {
  if (attempt.outcome === null) return attempt.claimedAt === null ? taskMarks.dispatched : taskMarks.running;
  const known = (taskMarks as Readonly<Record<string, Mark>>)[attempt.outcome];
  return known ?? { tone: "warn", shape: "half", word: plain(attempt.outcome) };
}

function Attempts({ attempts, now }: { attempts: Attempt[]; now: number }) {
  return (
    <section aria-labelledby="attempts">
      <h2 id="attempts">Attempts</h2>
      <ul class="rows">
        {attempts.toReversed().map((attempt) => (
          <li id={`a-${attempt.epoch}`}>
            <State mark={attemptMark(attempt)} />
            <div>
              {attempt.epoch}. <Byline persona={attempt.persona} factory={attempt.factory} />
              <p class="aside">
                {plain(attempt.routeReason)}
                {attempt.reason !== "" && ` · ${plain(attempt.reason)}`}
              </p>
            </div>
            <span class="aside">
              {attempt.claimedAt !== null && attempt.endedAt !== null && `ran ${measured(attempt.endedAt - attempt.claimedAt)} · `}
              {attempt.endedAt === null ? (
                <>
                  for <Since at={attempt.dispatchedAt} now={now} />
                </>
              ) : (
                <Ago at={attempt.endedAt} now={now} />
              )}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
