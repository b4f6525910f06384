/** Transcripts of HQ's turns, and what was said in them. */
import { asc, desc, eq, sql } from "drizzle-orm";
import type { Conversations } from "#ports/store.ts";
import type { Entry } from "#ports/transcript.ts";
import { parseTagged } from "./json.ts";
import { conversations, turnEntries } from "./schema.ts";
import { always, type Database, ifChanged, insertIf, showChange } from "./sql.ts";

const entryTypes = ["user", "assistant", "intent", "result", "compaction"] satisfies Entry["type"][];

export function conversationsOf({ q, run, write }: Database): Conversations {
  return {
    turn: (turn) => ({
      async load() {
        const rows = await run(
          q.select({ json: turnEntries.entryJson }).from(turnEntries).where(eq(turnEntries.turn, turn)).orderBy(asc(turnEntries.seq)),
        );
        return rows.map((row) => parseTagged<Entry>("type", entryTypes, row.json, "entry_json"));
      },
      async append(seq, entry) {
        await write(
          q
            .insert(turnEntries)
            .values({ turn, seq, entryJson: JSON.stringify(entry) })
            .onConflictDoNothing(),
        );
      },
    }),

    async close(turn, chat, { user, reply, at }) {
      await write(insertIf(always, conversations, { turn, chat, user, reply, at }, sql`on conflict do nothing`), showChange(ifChanged));
    },

    async recent(chat, limit) {
      const rows = await run(
        q
          .select({ user: conversations.user, reply: conversations.reply, at: conversations.at })
          .from(conversations)
          .where(eq(conversations.chat, chat))
          .orderBy(desc(conversations.at), sql`rowid desc`)
          .limit(limit),
      );
      return rows.reverse();
    },
  };
}
