/** The stand-in at the front desk: knows six kinds of wishes by their words, calls the tool, tells what it said. */
import { type Conversation, fill, type Step } from "./conversation.ts";
import { type FleetView, readFleet, readTasks, taskIdIn } from "./tool-text.ts";
import type { Says } from "./wire.ts";

export const introduction =
  "I am a stand-in model without intelligence: I follow a small script, so that everything around me can be tried without a model. " +
  'I can have failing tests of a repository fixed ("The tests of … fail. Fix them."), tell the status of the fleet, what the tasks are doing ' +
  "and what they cost, and cancel the newest task. For anything else, set a model's API key.";

type Wish = "cancel" | "work" | "cost" | "tasks" | "fleet" | "view" | "unknown";

const subject = /\b(tests?|suite|code|repo(sitory)?|bugs?|build|ci|function|module|project|workspace|package)\b/;
const deed =
  /\b(fix(es|ed|ing)?|repair|mend|solve|debug|correct|heal|sort out|look (at|into)|deal with|take care of|green|get|make|find|run)\b/;
const broken = /\b(fail(s|ed|ing|ures?)?|broken|broke|breaks?|red|crash(es|ing)?|wrong|(do|does)(n't| not) (work|pass)|not passing)\b/;
const negated = /\b(don't|do not|never|no need to)\s+(\w+\s+){0,2}(fix|repair|touch|delegate|change)\b/;

const asks = /\?|^\s*(what|how|is|are|has|have|did|does|show|tell)\b/;

/** What the owner wants, by the words alone. */
export function wishOf(message: string): Wish {
  const text = message.toLowerCase().replaceAll("’", "'");
  const isWork = subject.test(text) && (deed.test(text) || broken.test(text)) && !negated.test(text);
  if (/^\s*(please\s+|simone[,:]?\s+)*(cancel|stop|abort)\b/.test(text)) return "cancel";
  if (/\b(costs?|spen[dt]|spending|budget|bill|how expensive|money)\b/.test(text) && (!isWork || asks.test(text))) return "cost";
  if (/\b(progress|yet|so far|going|coming along)\b/.test(text) && asks.test(text)) return "tasks";
  if (isWork) return "work";
  if (/\b(cancel|abort)\b/.test(text)) return "cancel";
  if (negated.test(text)) return "unknown";
  if (/\b(dashboard|corporation view)\b/.test(text)) return "view";
  if (/\b(fleet|factor(y|ies)|machines?|desktops?|status|who is (there|online))\b/.test(text)) return "fleet";
  if (/\b(tasks?|progress|how('s| is| are)\b.*\b(it|that|things|they|going|doing)|done yet|finished yet)\b/.test(text)) return "tasks";
  return "unknown";
}

/** The next thing to say or to call. */
export function attend(talk: Conversation): Says {
  const wish = wishOf(talk.asked);
  if (wish === "work") return delegateWork(talk);
  if (wish === "cancel") return cancelNewest(talk);
  if (wish === "cost") return report(talk, "cost");
  if (wish === "tasks") return report(talk, "task");
  if (wish === "fleet" || wish === "view") return report(talk, wish);
  return { text: introduction };
}

function call(talk: Conversation, name: string, wanted: Record<string, unknown>): Says {
  return { call: { name, input: fill(talk.tools.get(name), wanted) } };
}

/** The last result of a tool in this turn; a call that was cut off is not one. */
function resultOf(talk: Conversation, name: string): Step | undefined {
  return talk.steps.findLast((step) => step.name === name);
}

function report(talk: Conversation, tool: string): Says {
  if (!talk.tools.has(tool)) return { text: `I have no tool for that here. ${introduction}` };
  const step = resultOf(talk, tool);
  if (!step) return call(talk, tool, {});
  return { text: step.isError ? `That did not work: ${step.result}` : step.result || "There is nothing to report." };
}

function delegateWork(talk: Conversation): Says {
  const done = resultOf(talk, "delegate");
  if (done) return { text: done.isError ? `I could not delegate it: ${done.result}` : done.result };

  const fleet = resultOf(talk, "fleet");
  if (!fleet && talk.tools.has("fleet")) return call(talk, "fleet", {});
  const view = readFleet(fleet && !fleet.isError ? fleet.result : "");
  const choice = chooseWorkspace(talk.asked, view);
  if (choice.ask) return { text: choice.ask };
  return call(talk, "delegate", {
    title: titleOf(talk.asked),
    instruction: talk.asked,
    kind: kindOf(talk),
    workspace: choice.workspace,
    factory: view.factories.find((name) => new RegExp(`\\b(on|at|by|use)\\s+${escaped(name)}\\b`, "i").test(talk.asked)),
    require_verified: /\bverified\b/i.test(talk.asked) ? true : undefined,
  });
}

/** The workspace whose name shares most words with the message; the only one, if it shares none. */
function chooseWorkspace(message: string, { workspaces }: FleetView): { workspace?: string; ask?: string } {
  const plain = squeeze(message);
  const words = new Set(message.toLowerCase().match(/[a-z0-9]+/g) ?? []);
  const scored = workspaces.map((name) => {
    const parts = name.toLowerCase().match(/[a-z0-9]+/g) ?? [];
    const shared = parts.filter((part) => words.has(part)).length;
    return { name, score: plain.includes(squeeze(name)) ? 1 + parts.length : shared / Math.max(1, parts.length) };
  });
  const [best, next] = scored.toSorted((a, b) => b.score - a.score);
  if (!best) return {};
  if (workspaces.length === 1 || (best.score > 0 && best.score > (next?.score ?? 0))) return { workspace: best.name };
  return { ask: `Which workspace do you mean? There are ${workspaces.join(", ")}.` };
}

function kindOf(talk: Conversation): unknown {
  const kinds = talk.tools.get("delegate")?.properties?.kind?.enum ?? ["coder"];
  return kinds.find((kind) => /cod/i.test(String(kind))) ?? kinds[0];
}

function titleOf(message: string): string {
  const sentence = message.split(/(?<=[.!?])\s|\n/)[0]?.trim() ?? message;
  const clear = sentence.replace(/[.!?\s]+$/, "");
  return clear.length <= 80 ? clear : `${clear.slice(0, 79).trimEnd()}…`;
}

function cancelNewest(talk: Conversation): Says {
  const done = resultOf(talk, "cancel");
  if (done) return { text: done.isError ? `I could not cancel it: ${done.result}` : done.result || "It is cancelled." };
  const named = taskIdIn(talk.asked);
  if (named) return call(talk, "cancel", { id: named, reason: "the owner asked for it" });
  const list = resultOf(talk, "task");
  if (!list && talk.tools.has("task")) return call(talk, "task", {});
  const newest = readTasks(list?.result ?? "").find((task) => !task.ended);
  if (!newest) return { text: "I see no task that is not over, so there is nothing to cancel." };
  return call(talk, "cancel", { id: newest.id, reason: "the owner asked for it" });
}

function squeeze(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, "");
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
