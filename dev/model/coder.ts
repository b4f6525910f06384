/**
 * The stand-in as a coder: repairs one-slip faults in a Node repository with `node:test`, by looking and trying. The
 * plan is a generator that is run anew for every request, over the results that the conversation holds: so it has no
 * memory of its own, and a killed turn goes on where it was.
 */
import { type Conversation, fill, type Step } from "./conversation.ts";
import { asOffered } from "./files.ts";
import { type Call, type Plan, repair } from "./repair.ts";
import type { Says } from "./wire.ts";

const ability =
  "I am a stand-in model without intelligence. I can run the tests of a Node repository that uses node:test, and repair a small fault " +
  "(one operator, boundary, constant, name or order of arguments) that makes one of them fail.";

/** The next thing to say or to call. */
export function code(talk: Conversation): Says {
  const plan = isRepair(talk.asked) ? work(talk) : refuse();
  let next = plan.next();
  for (const step of talk.steps) {
    if (next.done) break;
    // Steps that this plan would not have taken are somebody else's (a fault that a test asked for): passed over.
    if (same(step, toCall(talk, next.value))) next = plan.next(step);
  }
  // Only `finish` ends a plan, and it is repeated for as long as it is refused.
  const call = next.done ? { name: "finish", input: { status: "failed", summary: ability } } : next.value;
  const { text } = call;
  return { ...(text && { text }), call: toCall(talk, call) };
}

function isRepair(instruction: string): boolean {
  return /\b(tests?|suite|specs?|bugs?|ci)\b/i.test(instruction) || /\b(fix|repair|debug)\b/i.test(instruction);
}

function toCall(talk: Conversation, call: Call) {
  const { name, input } = asOffered(talk.tools, call);
  return { name, input: fill(talk.tools.get(name), input) };
}

function same(step: Step, call: { name: string; input: unknown }): boolean {
  return step.name === call.name && JSON.stringify(step.input) === JSON.stringify(call.input);
}

function* refuse(): Plan {
  for (;;) yield finish("failed", `I can't do this. ${ability}`);
}

function* work(talk: Conversation): Plan {
  const end = yield* repair(talk);
  const summary = end.status === "failed" ? `${end.summary} ${ability}` : end.summary;
  for (;;) yield finish(end.status, summary);
}

function finish(status: "done" | "failed", summary: string): Call {
  return { name: "finish", input: { status, summary } };
}
