/** A question to the owner with its answers as buttons of a form, or how it was answered. */
import type { Question } from "#core/question.ts";
import { decisionOf } from "#factory/ask-owner.ts";
import { Ago, TaskLink } from "./figures.tsx";
import { Shape } from "./marks.tsx";
import { plain } from "./text.ts";

/** `hqUrl` where these pages are a copy that can't act: then each question leads to its page at headquarters. */
export function AskList({ asks, now, hqUrl }: { asks: readonly Question[]; now: number; hqUrl: string | null }) {
  return (
    <ul class="asks">
      {asks.map((ask) => (
        <li id={`ask-${ask.id}`}>
          <AskView ask={ask} now={now} hqUrl={hqUrl} />
        </li>
      ))}
    </ul>
  );
}

export function AskView({ ask, now, hqUrl }: { ask: Question; now: number; hqUrl: string | null }) {
  // Its task and who asks, at the end of the chat's message, stand below it.
  const [what = "", ...rest] = plain(ask.content.text).split("\n");
  const more = rest.slice(0, -1).filter((line) => line !== ask.task);
  const decision = decisionOf(ask, now);
  return (
    <>
      <p class="asked">
        <Shape name={decision === null ? "diamond" : "check"} /> <strong>{what}</strong>
      </p>
      {decision === null ? (
        <>
          <p class="prose">{more.join("\n")}</p>
          {hqUrl === null ? (
            <Options ask={ask} what={what} />
          ) : (
            <a class="button" href={`${hqUrl}/asks/${ask.id}`}>{`Answer ${ask.id} at headquarters`}</a>
          )}
        </>
      ) : (
        <p>{plain(decision)}</p>
      )}
      <p class="aside">
        {ask.id} · asked <Ago at={ask.createdAt} now={now} />
        {ask.task !== null && (
          <>
            {" about "}
            <TaskLink id={ask.task} title="" />
          </>
        )}
      </p>
    </>
  );
}

function Options({ ask, what }: { ask: Question; what: string }) {
  return (
    <form method="post" action={`/asks/${ask.id}`}>
      <fieldset class="options" aria-label={`${ask.id}: ${what}`}>
        {ask.options.map(({ key, label }) => (
          <button id={`${ask.id}-${key}`} type="submit" name="option" value={key}>
            {plain(label)}
          </button>
        ))}
      </fieldset>
    </form>
  );
}
