/**
 * What the owner is asked. An answer is one compare-and-set: however many answer at once, from wherever, the first counts,
 * and none does once the time is over or the task has gone on.
 */
import { and, asc, eq, getTableColumns, inArray, isNull, lte, or, type SQL, sql } from "drizzle-orm";
import { optionsSchema, type Question, type QuestionKind, questionKinds } from "#core/question.ts";
import { richTextSchema } from "#core/rich-text.ts";
import type { Questions } from "#ports/questions.ts";
import { parseJson } from "./json.ts";
import { addLetterIf } from "./letters.ts";
import { questions } from "./schema.ts";
import { always, comma, type Database, hit, ifChanged, insertIf, showChange } from "./sql.ts";
import { tell } from "./task-story.ts";

const t = questions;
const kinds = Object.keys(questionKinds) as QuestionKind[];

/** Of a kind that this version knows: what a later one asked is left to it. */
const known = inArray(t.kind, kinds);
const unanswered = isNull(t.answeredAt);
const overdue = (now: number) => and(lte(t.expiresAt, now), sql`otherwise is not null`) as SQL;

/** The same was asked about its task again since: what the owner says there counts. */
const superseded = sql`exists (select 1 from questions as later
  where later.task = questions.task and later.kind = questions.kind and later.rowid > questions.rowid)`;

/** As `isMoot`: the task that it is about is not where it was asked; or it was asked about anew. */
const moot = sql`questions.task is not null and (${superseded} or not exists (select 1 from tasks
  where tasks.id = questions.task and tasks.epoch = questions.epoch and (${sql.join(kinds.map(standsFor), sql` or `)})))`;

/** True while no later question has taken the place of this one. */
export const isCurrent = (id: string): SQL => sql`exists (select 1 from questions where id = ${id} and not ${superseded})`;

function standsFor(kind: QuestionKind): SQL {
  const during = comma(questionKinds[kind].during.map((state) => sql`${state}`));
  return sql`(questions.kind = ${kind} and tasks.state in (${during}))`;
}

export function questionsOf({ q, run, write }: Database): Questions {
  const select = async (where: SQL | undefined, limit: number) => {
    const rows = await run(q.select().from(t).where(and(known, where)).orderBy(asc(t.createdAt), sql`rowid asc`).limit(limit));
    return rows.map(toQuestion);
  };

  /** An answer, where `open` holds; and the question as it is then. */
  const decide = async (id: string, answer: Partial<typeof t.$inferInsert> | { answer: SQL }, open: SQL) => {
    const [decided, , now] = await write(
      q
        .update(t)
        .set(answer)
        .where(and(eq(t.id, id), unanswered, known, open)),
      showChange(ifChanged),
      q
        .select()
        .from(t)
        .where(and(eq(t.id, id), known)),
    );
    return { won: hit(decided), question: now.rows[0] ? toQuestion(named(now.rows[0])) : null };
  };

  return {
    async ask({ content, options, ...question }, { letter, line }, now) {
      const row = { ...question, contentJson: JSON.stringify(content), optionsJson: JSON.stringify(options), createdAt: now };
      const story = question.task === null ? [] : tell(question.task, question.epoch ?? 0, { kind: "asked", text: line }, now);
      const results = await write(
        insertIf(always, t, row, sql`on conflict (key) do nothing`),
        showChange(ifChanged),
        addLetterIf(ifChanged, letter, now),
        ...story,
        q.select().from(t).where(eq(t.key, question.key)),
      );
      const [stored] = results.at(-1)?.rows ?? [];
      if (!stored) throw new Error(`question ${question.id} vanished`);
      return toQuestion(named(stored));
    },

    get: async (id) => (await select(eq(t.id, id), 1))[0] ?? null,
    byKey: async (key) => (await select(eq(t.key, key), 1))[0] ?? null,

    open: ({ chat, task, limit }) =>
      select(and(unanswered, chat === undefined ? undefined : eq(t.chat, chat), task === undefined ? undefined : eq(t.task, task)), limit),

    answer(id, { option, by, via }, now) {
      const isOne = sql`exists (select 1 from json_each(options_json) where value ->> 'key' = ${option})`;
      const inTime = sql`(expires_at is null or expires_at > ${now})`;
      return decide(id, { answer: option, answeredAt: now, answeredBy: by, via }, and(isOne, inTime, sql`not (${moot})`) as SQL);
    },

    expire(id, now) {
      return decide(
        id,
        { answer: sql`otherwise`, answeredAt: now, answeredBy: "", via: "expiry" },
        and(overdue(now), sql`not (${moot})`) as SQL,
      );
    },

    async close(id, what, letter, now) {
      const [closed] = await write(
        q
          .update(t)
          .set({ answeredAt: now, answeredBy: what, via: "event", appliedAt: now })
          .where(and(eq(t.id, id), unanswered)),
        showChange(ifChanged),
        addLetterIf(ifChanged, letter, now),
      );
      return hit(closed);
    },

    async applied(id, { letter, line }, now) {
      const [applied] = await write(
        q
          .update(t)
          .set({ appliedAt: now })
          .where(and(eq(t.id, id), isNull(t.appliedAt), sql`answered_at is not null`)),
        showChange(ifChanged),
        addLetterIf(ifChanged, letter, now),
        sql`insert into task_events (task, epoch, at, kind, text)
          select task, coalesce(epoch, 0), ${now}, 'decided', ${line} from questions where id = ${id} and task is not null and ${ifChanged}`,
      );
      return hit(applied);
    },

    due: (now, limit) => select(or(and(unanswered, or(overdue(now), moot)), and(sql`answered_at is not null`, isNull(t.appliedAt))), limit),

    async current(id) {
      const [row] = await run(q.all<{ current: number }>(sql`select ${isCurrent(id)} as current`));
      return row?.current === 1;
    },

    async unasked({ codes, heldBefore, task, mostOpen, limit }) {
      const key = sql`'hold:' || tasks.id || ':' || held.id`;
      const open = sql`(select count(*) from questions as o where o.chat = tasks.chat and o.kind = 'hold' and o.answered_at is null)`;
      const holds = sql`select tasks.id as task, ${key} as key, tasks.created_at, ${open} as open,
          row_number() over (partition by tasks.chat order by tasks.created_at) as place
        from tasks join task_events as held on held.id = (select max(e.id) from task_events as e where e.task = tasks.id and e.kind = 'held')
        where tasks.state = 'held' and tasks.code in (${comma(codes.map((code) => sql`${code}`))}) and held.at <= ${heldBefore}
          and ${task === undefined ? always : sql`tasks.id = ${task}`}
          and not exists (select 1 from questions as asked where asked.key = ${key})
          and not exists (select 1 from questions as undone
            where undone.task = tasks.id and undone.answered_at is not null and undone.applied_at is null)`;
      const rows = await run(
        q.all<{ task: string; key: string }>(
          sql`select task, key from (${holds}) where open + place <= ${mostOpen} order by created_at limit ${limit}`,
        ),
      );
      return rows.map((row) => ({ task: row.task, key: row.key }));
    },
  };
}

type Row = typeof t.$inferSelect;

/** A row of a batch, whose columns are named as in the database. */
function named(raw: object): Row {
  const values = raw as Record<string, unknown>;
  return Object.fromEntries(Object.entries(getTableColumns(t)).map(([key, column]) => [key, values[column.name]])) as Row;
}

function toQuestion({ contentJson, optionsJson, answer, answeredAt, answeredBy, via, appliedAt, kind, ...row }: Row): Question {
  const by = { by: answeredBy ?? "", applied: appliedAt !== null };
  return {
    ...row,
    kind: kind as QuestionKind,
    content: parseJson(richTextSchema, contentJson, "content_json"),
    options: parseJson(optionsSchema, optionsJson, "options_json"),
    answer: answeredAt === null || via === null ? null : { option: answer, at: answeredAt, via, ...by },
  };
}
