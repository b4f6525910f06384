/** One page of tasks, newest first, with what each has cost. */
import { and, desc, eq, inArray, lt, or } from "drizzle-orm";
import { tasks, usages } from "#adapters/store/schema.ts";
import { noTotal } from "#core/ledger.ts";
import { type TaskState, taskStates, terminalStates } from "#core/task.ts";
import type { DashboardDb } from "../db.ts";
import { type Money, money, spentColumns } from "./spent.query.ts";

export const pageSize = 50;

const open = taskStates.filter((state) => !(terminalStates as readonly TaskState[]).includes(state));

/** The choices above the list: a word in the address, and the states it stands for. */
export const filters = {
  all: [],
  open,
  held: ["held", "awaiting_approval"],
  succeeded: ["succeeded"],
  failed: ["failed", "dead", "expired"],
  cancelled: ["cancelled"],
} as const satisfies Record<string, readonly TaskState[]>;
export type Filter = keyof typeof filters;

export interface TaskRow {
  id: string;
  title: string;
  state: TaskState;
  reason: string;
  factory: string | null;
  persona: string | null;
  createdAt: number;
  endedAt: number | null;
  spent: Money;
}

export interface TaskList {
  filter: Filter;
  factory: string | null;
  rows: TaskRow[];
  /** The address of the next page starts here; null on the last. */
  before: string | null;
}

export interface TaskListRequest {
  filter: Filter;
  factory: string | null;
  /** `<createdAt>.<id>` of the last row of the page before. */
  before: string | null;
}

export async function loadTaskList(db: DashboardDb, request: TaskListRequest): Promise<TaskList> {
  const { filter, factory } = request;
  const states: readonly TaskState[] = filters[filter];
  const found = await db
    .select({
      id: tasks.id,
      title: tasks.title,
      state: tasks.state,
      reason: tasks.reason,
      factory: tasks.factory,
      persona: tasks.persona,
      createdAt: tasks.createdAt,
      endedAt: tasks.endedAt,
    })
    .from(tasks)
    .where(
      and(
        states.length > 0 ? inArray(tasks.state, [...states]) : undefined,
        factory ? eq(tasks.factory, factory) : undefined,
        older(request.before),
      ),
    )
    .orderBy(desc(tasks.createdAt), desc(tasks.id))
    .limit(pageSize + 1);

  const rows = found.slice(0, pageSize);
  const spent = await spentOn(
    db,
    rows.map((row) => row.id),
  );
  const last = found.length > pageSize ? rows.at(-1) : undefined;
  return {
    filter,
    factory,
    rows: rows.map((row) => ({ ...row, spent: spent.get(row.id) ?? noTotal })),
    before: last ? `${last.createdAt}.${last.id}` : null,
  };
}

/** After the row that ended the page before; an address that nobody made this way is read as the first page. */
function older(before: string | null) {
  const [, at, id] = /^(\d{1,16})\.([A-Za-z0-9_-]{1,64})$/.exec(before ?? "") ?? [];
  if (at === undefined || id === undefined) return undefined;
  return or(lt(tasks.createdAt, Number(at)), and(eq(tasks.createdAt, Number(at)), lt(tasks.id, id)));
}

async function spentOn(db: DashboardDb, ids: string[]): Promise<Map<string, Money>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .select({ task: usages.task, ...spentColumns })
    .from(usages)
    .where(inArray(usages.task, ids))
    .groupBy(usages.task);
  return new Map(rows.map((row) => [row.task ?? "", money(row)]));
}
