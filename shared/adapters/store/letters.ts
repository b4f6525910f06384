/**
 * What is said in a chat, until the chat confirmed it. An edit is one row per key with its latest body: `version` counts
 * the bodies and `leased` is the one being sent, so a body that comes in during a send is still sent after it.
 */
import { and, eq, isNull, type SQL, sql } from "drizzle-orm";
import type { Letter, LetterBody } from "#ports/chat.ts";
import type { Leased, Letters } from "#ports/letters.ts";
import { parseTagged } from "./json.ts";
import { letters } from "./schema.ts";
import { type Database, ifChanged, insertAll, showChange } from "./sql.ts";

/** Telegram takes about one edit of a message in this time. */
const editEveryMs = 5000;
/** And about one edit in a chat in this time. */
const chatEditEveryMs = 1000;

const bodyKinds = ["text", "edit", "document", "react", "answer"] satisfies LetterBody["kind"][];
const l = letters;

const waiting = sql`letters.sent_at is null and letters.dropped_at is null`;
const isEdit = sql`letters.body_json ->> '$.kind' = 'edit'`;
/** There will be no message to refer to: dropped, sent without telling its message, or never written. */
const gone = sql`letters.refers_to is not null and not exists (
  select 1 from letters as r where r.key = letters.refers_to and (r.message is not null or (r.sent_at is null and r.dropped_at is null)))`;
const resolved = sql`(letters.refers_to is null or ${gone} or exists (
  select 1 from letters as r where r.key = letters.refers_to and r.message is not null))`;
/** The body that was sent is still the body. */
const latest = sql`version = coalesce(leased, version)`;

export function lettersOf({ q, run, write }: Database): Letters {
  const open = (key: string) => and(eq(l.key, key), isNull(l.sentAt), isNull(l.droppedAt)) as SQL;

  return {
    async add(added, now) {
      if (added.length === 0) return;
      const rows = added.map(({ key, chat, body }: Letter) => ({
        key,
        chat,
        bodyJson: JSON.stringify(body),
        refersTo: referenceOf(body),
        createdAt: now,
        notBefore: now,
      }));
      await write(insertAll(l, rows, newerEdit(now)), showChange(ifChanged));
    },

    async take(now, leaseMs, limit) {
      // Many cards that change must not keep an answer or a completion from going out.
      const ready = sql`select id, ${isEdit} as edit, row_number() over (partition by chat, ${isEdit} order by not_before, id) as place
        from letters where ${waiting} and not_before <= ${now} and coalesce(lease_until, 0) <= ${now} and ${resolved}`;
      const due = sql`select id from (${ready}) where not edit or place = 1 order by edit, id limit ${limit}`;
      // An edit is the same twice, so it needs no count of its own.
      const begun = sql`(${isEdit} or letters.id = (select id from (${due}) limit 1))`;
      const [, taken] = await write(
        sql`update letters set dropped_at = ${now}, error = 'the message that it edits was never sent'
          where ${waiting} and ${isEdit} and ${gone}`,
        sql`update letters set lease_until = ${now + leaseMs}, leased = version, attempts = attempts + ${begun} where id in (${due})
          returning id, key, chat, body_json, ${isEdit} as edit, attempts, created_at, (select r.message from letters as r where r.key = letters.refers_to) as refers`,
      );
      const rows = taken.rows as unknown as Taken[];
      return rows.toSorted((a, b) => a.edit - b.edit || a.id - b.id).map((row, i) => toLeased(row, i === 0 || row.edit === 1));
    },

    async begin(key) {
      await write(q.update(l).set({ attempts: sql`attempts + 1` }).where(open(key)));
    },

    async sent(key, message, now) {
      await write(
        q
          .update(l)
          .set({
            message: sql`coalesce(${message}, message)`,
            leaseUntil: null,
            error: "",
            sentAt: sql`case when ${latest} then ${now} end`,
            notBefore: sql`case when ${latest} then not_before else ${now + editEveryMs} end`,
            attempts: sql`case when ${latest} then attempts else 0 end`,
          })
          .where(open(key)),
        showChange(ifChanged),
        sql`update letters set not_before = max(not_before, ${now + chatEditEveryMs}) where ${waiting} and ${isEdit} and lease_until is null
          and chat = (select chat from letters as s where s.key = ${key} and s.body_json ->> '$.kind' = 'edit')`,
      );
    },

    async retryAt(key, at, error, certain) {
      const attempts = certain ? sql`attempts - 1` : sql`attempts`;
      await write(q.update(l).set({ notBefore: at, leaseUntil: null, error, attempts }).where(open(key)), showChange(ifChanged));
    },

    async rest(chat, until) {
      await write(
        q
          .update(l)
          .set({ notBefore: sql`max(not_before, ${until})`, leaseUntil: null })
          .where(and(eq(l.chat, chat), waiting)),
        showChange(ifChanged),
      );
    },

    async drop(key, error, now) {
      await write(
        q
          .update(l)
          .set({
            droppedAt: sql`case when ${latest} then ${now} end`,
            notBefore: sql`case when ${latest} then not_before else ${now + editEveryMs} end`,
            leaseUntil: null,
            error,
          })
          .where(open(key)),
        showChange(ifChanged),
      );
    },

    async nextDue() {
      const [row] = await run(
        q.select({ at: sql<number | null>`min(max(not_before, coalesce(lease_until, 0)))` }).from(l).where(and(waiting, resolved)),
      );
      return row?.at ?? null;
    },
  };
}

/** An edit with another body replaces the one before it, at most one send in `editEveryMs`; any other duplicate is ignored. */
function newerEdit(now: number): SQL {
  return sql`on conflict (key) do update set
      body_json = excluded.body_json,
      refers_to = excluded.refers_to,
      version = version + 1,
      created_at = ${now},
      not_before = case when sent_at is null then max(not_before, ${now}) else max(${now}, sent_at + ${editEveryMs}) end,
      sent_at = null, dropped_at = null, attempts = 0, error = ''
    where excluded.body_json ->> '$.kind' = 'edit' and ${isEdit} and excluded.body_json <> letters.body_json`;
}

function referenceOf(body: LetterBody): string | null {
  if (body.kind === "edit") return body.of;
  if (body.kind !== "text" && body.kind !== "document") return null;
  return body.replyTo && "letter" in body.replyTo ? body.replyTo.letter : null;
}

interface Taken {
  id: number;
  key: string;
  chat: number;
  body_json: string;
  edit: number;
  attempts: number;
  created_at: number;
  refers: number | null;
}

function toLeased({ key, chat, attempts, ...row }: Taken, begun: boolean): Leased {
  const body = parseTagged<LetterBody>("kind", bodyKinds, row.body_json, "body_json");
  const message =
    (body.kind === "text" || body.kind === "document") && body.replyTo && "message" in body.replyTo ? body.replyTo.message : null;
  return { key, chat, body, attempts: attempts + (begun ? 0 : 1), begun, since: row.created_at, refersTo: row.refers ?? message };
}
