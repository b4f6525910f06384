/** Where a process is killed, or an answer lost: the seams between what is stored, what is sent and what is acknowledged. */

/** `<program>.<port>.<method>:before` or `:after`, as the gate names them. */
export type Point = `${"hq" | "branch"}.${string}:${"before" | "after"}`;

/** kill -9 of whoever comes there first. */
export const killPoints: readonly Point[] = [
  // An order is taken in.
  "branch.journal.accept:before",
  "branch.journal.accept:after",
  "branch.hq.claim:before",
  "branch.hq.claim:after",
  "branch.journal.begin:after",
  // It is worked on.
  "branch.journal.transcript.append:before",
  "branch.journal.transcript.append:after",
  // A call of the model is reserved for, and settled.
  "branch.journal.reserve:after",
  "branch.journal.settle:before",
  "branch.journal.settle:after",
  "branch.workspaces.commit:after",
  // Its result goes out.
  "branch.journal.report:before",
  "branch.journal.report:after",
  "branch.bus.finish:before",
  "branch.bus.finish:after",
  "branch.journal.sent:after",
  "branch.workspaces.close:before",
  // Headquarters takes a message in, and hands work out.
  "hq.store.updates.receive:after",
  "hq.store.conversations.turn.append:after",
  "hq.store.spending.reserve:after",
  "hq.store.spending.settle:before",
  "hq.store.tasks.create:after",
  "hq.store.tasks.dispatch:before",
  "hq.store.tasks.dispatch:after",
  "hq.bus.publish:before",
  "hq.bus.publish:after",
  "hq.store.outbox.sent:after",
  "hq.store.tasks.claim:after",
  // It takes a result, and tells the owner.
  "hq.bus.read:after",
  "hq.store.tasks.settle:before",
  "hq.store.tasks.settle:after",
  "hq.store.letters.add:after",
  "hq.bus.remove:before",
  "hq.bus.remove:after",
  "hq.chat.deliver:before",
  "hq.chat.deliver:after",
  "hq.store.letters.sent:after",
];

/** It was done, and whoever asked is told that it failed. */
export const losePoints: readonly Point[] = [
  "branch.bus.finish:after",
  "branch.bus.ack:after",
  "branch.hq.claim:after",
  "hq.bus.publish:after",
  "hq.store.tasks.create:after",
  "hq.store.tasks.dispatch:after",
  "hq.store.outbox.sent:after",
  "hq.store.tasks.claim:after",
  "hq.store.tasks.settle:after",
  "hq.store.letters.sent:after",
  "hq.bus.remove:after",
];
