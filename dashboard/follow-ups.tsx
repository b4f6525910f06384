/** What became of a finished branch, and what still can: each a form that only has the owner asked. */
import { type Followed, followWords } from "#core/follow-up.ts";
import { followUpsOf } from "#factory/what-follows.ts";
import { TaskLink } from "./figures.tsx";
import type { FollowUp, TaskStory } from "./panels/task.query.ts";
import { plain } from "./text.ts";

/** Nothing where there is no branch, or nothing can become of it. `hqUrl` where these pages are a copy that can't act. */
export function FollowUps({ story, hqUrl }: { story: TaskStory; hqUrl: string | null }) {
  const { task, receipt, follow, followUps } = story;
  const done = followUps.filter(({ state }) => state === "succeeded").map((one) => one.do);
  const can = done.includes("discard") ? [] : followUpsOf({ ...task, receipt, follow }).filter((one) => !done.includes(one));
  if (can.length === 0 && followUps.length === 0) return null;
  return (
    <section aria-labelledby="follow-ups">
      <h2 id="follow-ups">What becomes of the branch</h2>
      {followUps.length > 0 && (
        <ul class="rows">
          {followUps.map((one) => (
            <Row one={one} />
          ))}
        </ul>
      )}
      {can.length > 0 && hqUrl === null && (
        <form method="post" action={`/tasks/${task.id}/follow-up`}>
          <fieldset class="options" aria-label="You are asked before anything is done">
            {can.map((deed) => (
              <button type="submit" name="do" value={deed}>
                {followWords[deed].label}
              </button>
            ))}
          </fieldset>
        </form>
      )}
    </section>
  );
}

function Row({ one }: { one: FollowUp }) {
  return (
    <li>
      <div>
        {followWords[one.do].label}: {one.state}
        <p class="aside">{plain(one.reason)}</p>
      </div>
      <span class="aside">
        <TaskLink id={one.id} title="" />
      </span>
    </li>
  );
}

/** What a follow-up came to, as its factory observed it. */
export function FollowedView({ followed, why }: { followed: Followed; why: string }) {
  return (
    <section aria-labelledby="receipt">
      <h2 id="receipt">Receipt</h2>
      <p class="receipt-why">{plain(why)}</p>
      <dl class="facts">
        <div>
          <dt>Branch</dt>
          <dd>
            <code>{plain(followed.ref)}</code>
          </dd>
        </div>
        <div>
          <dt>Now at</dt>
          <dd>{followed.head === null ? "gone" : <code>{followed.head}</code>}</dd>
        </div>
        {followed.url !== null && (
          <div>
            <dt>Pull request</dt>
            <dd>
              <code>{plain(followed.url)}</code>
            </dd>
          </div>
        )}
      </dl>
      {followed.answer !== "" && <p class="prose">{plain(followed.answer)}</p>}
    </section>
  );
}
