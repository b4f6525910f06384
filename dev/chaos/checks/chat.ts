/** The owner was told of every end, once; or again, and then the message says so. */

import { terminalStates } from "#core/task.ts";
import { marks } from "#factory/card.ts";
import { again } from "#factory/deliver.ts";
import type { Evidence } from "../evidence.ts";
import { type Invariant, invariant } from "./invariant.ts";

export function ownerTold({ tasks, said, landed, lives, wishes }: Evidence): Invariant {
  const broken: string[] = [];
  const ends = terminalStates.map((state) => marks[state]);
  let doubles = 0;
  for (const { id, job, state } of tasks) {
    const its = said.filter(({ text }) => ends.some((mark) => text.startsWith(`${mark}: job ${job}\n`)));
    const right = its.filter(({ text }) => text.startsWith(`${marks[state]}: `));
    const unmarked = its.filter(({ text }) => !text.includes(again));
    doubles += Math.max(0, its.length - 1);
    if (right.length === 0) broken.push(`the chat was never told that task ${id} (job ${job}) is ${state}`);
    if (right.length < its.length) broken.push(`the chat was told of another end of task ${id} (job ${job}) than ${state}`);
    if (unmarked.length > 1)
      broken.push(`the end of task ${id} (job ${job}) is in the chat ${unmarked.length} times, and nothing says why`);
  }
  for (const wish of wishes) {
    const answers = said.filter(({ replyTo, text }) => replyTo === wish && !text.includes(again));
    if (answers.length > 1) broken.push(`message ${wish} has ${answers.length} answers`);
    if (!said.some(({ replyTo }) => replyTo === wish)) broken.push(`message ${wish} was never answered`);
  }
  // What nobody could note as sent: an answer that was lost, a sender that was killed, a record that was away.
  const killed = (member: string) => lives.get(member)?.filter(({ how }) => how === "killed").length ?? 0;
  const lost = landed.filter(
    ({ kind, point }) => kind === "chat_lost_reply" || (kind === "lost_reply" && point?.startsWith("hq.store.letters")),
  );
  const doubtful = lost.length + killed("hq") + killed("database");
  if (doubles > 0 && doubtful === 0) broken.push(`${doubles} completions are there twice, and no send was in doubt`);
  return invariant("every end is told in the chat", tasks.length, broken, { doubles, sendsInDoubt: doubtful });
}
