/** What the owner is asked. */
import { and, asc, desc, eq, inArray, isNull } from "drizzle-orm";
import { questions } from "#adapters/store/schema.ts";
import { optionsSchema, type Question, type QuestionKind, questionKinds } from "#core/question.ts";
import { richTextSchema } from "#core/rich-text.ts";
import type { DashboardDb } from "../db.ts";
import { parsed } from "../stored.ts";

const rowsRead = { open: 30, ofTask: 10 };
const known = inArray(questions.kind, Object.keys(questionKinds));

/** Those that wait for an answer, oldest first: a query for a batch. */
export function openAsks(db: DashboardDb) {
  return db
    .select()
    .from(questions)
    .where(and(known, isNull(questions.answeredAt)))
    .orderBy(asc(questions.createdAt), asc(questions.id))
    .limit(rowsRead.open);
}

/** Everything that was asked about a task, newest first: a query for a batch. */
export function asksAbout(db: DashboardDb, task: string) {
  return db
    .select()
    .from(questions)
    .where(and(known, eq(questions.task, task)))
    .orderBy(desc(questions.createdAt))
    .limit(rowsRead.ofTask);
}

/** Null if there is no such question. */
export async function loadAsk(db: DashboardDb, id: string): Promise<Question | null> {
  const rows = await db
    .select()
    .from(questions)
    .where(and(known, eq(questions.id, id)));
  return asQuestions(rows)[0] ?? null;
}

/** What can't be read is left out. */
export function asQuestions(rows: readonly (typeof questions.$inferSelect)[]): Question[] {
  return rows.flatMap(({ contentJson, optionsJson, answer, answeredAt, answeredBy, via, appliedAt, kind, ...row }) => {
    const content = parsed(richTextSchema, contentJson);
    const options = parsed(optionsSchema, optionsJson);
    if (!content || !options) return [];
    const by = { by: answeredBy ?? "", applied: appliedAt !== null };
    const answered = answeredAt === null || via === null ? null : { option: answer, at: answeredAt, via, ...by };
    return [{ ...row, kind: kind as QuestionKind, content, options, answer: answered }];
  });
}
