/** Tasks, newest first, by state and factory. */
import { showCost } from "#core/ledger.ts";
import { Ago, Byline, TaskLink } from "../figures.tsx";
import { State, taskMarks } from "../marks.tsx";
import type { Panel } from "../panel.ts";
import { plain, span } from "../text.ts";
import { type Filter, filters, loadTaskList, type TaskList } from "./task-list.query.ts";

export const taskListPanel: Panel = {
  path: "/tasks",
  nav: "Tasks",
  async show({ db, now, query, primary }) {
    const filter = query.state !== undefined && Object.hasOwn(filters, query.state) ? (query.state as Filter) : "all";
    const list = await loadTaskList(db, { filter, factory: query.factory ?? null, before: query.before ?? null });
    return { title: "Tasks", body: <TaskListView list={list} now={now} primary={primary} /> };
  },
};

function TaskListView({ list, now, primary }: { list: TaskList; now: number; primary: string }) {
  return (
    <>
      <h1>Tasks{list.factory !== null && ` of ${plain(list.factory)}`}</h1>
      <nav class="tabs filters" aria-label="Filter by state">
        {(Object.keys(filters) as Filter[]).map((filter) => (
          <a href={address(list, { filter, before: null })} aria-current={filter === list.filter ? "true" : undefined}>
            {filter}
          </a>
        ))}
      </nav>
      {list.rows.length === 0 ? (
        <p class="empty">
          {list.filter === "all" && list.factory === null
            ? `No task yet. Write to ${primary} in the chat what you want done.`
            : "No task matches. Choose “all” to see every one."}
        </p>
      ) : (
        <ul class="rows">
          {list.rows.map((task) => (
            <li id={`t-${task.id}`}>
              <State mark={taskMarks[task.state]} />
              <div>
                <TaskLink {...task} />
                {task.reason !== "" && <p class="aside">{plain(task.reason)}</p>}
              </div>
              <span class="aside">
                <Byline persona={task.persona} factory={task.factory} /> · {task.spent.calls > 0 && `${showCost(task.spent)} · `}
                {task.endedAt !== null && `took ${span(task.endedAt - task.createdAt)} · `}
                <Ago at={task.createdAt} now={now} />
              </span>
            </li>
          ))}
        </ul>
      )}
      {list.before !== null && (
        <nav class="pages" aria-label="More tasks">
          <a href={address(list, list)}>Older</a>
        </nav>
      )}
    </>
  );
}

function address(list: TaskList, change: { filter: Filter; before: string | null }): string {
  const query = new URLSearchParams();
  if (change.filter !== "all") query.set("state", change.filter);
  if (list.factory !== null) query.set("factory", list.factory);
  if (change.before !== null) query.set("before", change.before);
  return query.size === 0 ? "/tasks" : `/tasks?${query}`;
}
