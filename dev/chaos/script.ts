/** What the town's model says: Simone hands out the jobs that a message names, and a VP writes the slip of its job. */
import { fill, readConversation } from "../model/conversation.ts";
import type { Says, WireRequest } from "../model/wire.ts";
import { chance } from "./random.ts";

/** The town's one workspace; each branch has a repository of that name. */
export const workspace = "yard";

/** Whose call it is, read from the request alone. */
export interface Speaker {
  role: "simone" | "vp";
  /** Null for Simone. */
  attempt: { task: string; epoch: number; job: number } | null;
}

export const titleOf = (job: number) => `job ${job}`;
export const slipOf = (job: number) => `jobs/${job}.txt`;

/** The owner's words for some jobs; `factory` where they are for one alone. */
export function wishFor(jobs: readonly number[], factory?: string): string {
  return `Please have these done: ${jobs.map(titleOf).join(", ")}.${factory ? ` All on ${factory}.` : ""}`;
}

export function speakerOf(request: WireRequest): Speaker {
  if (request.tools?.some((tool) => tool.name === "delegate")) return { role: "simone", attempt: null };
  const { system, asked } = readConversation(request, "first");
  const [, task = "", epoch = "0"] = /worktrees\/(\S+)-(\d+)\.(?:\s|$)/.exec(system) ?? [];
  return { role: "vp", attempt: { task, epoch: Number(epoch), job: jobIn(asked) } };
}

export function say(request: WireRequest, speaker: Speaker, seed: number): Says {
  return speaker.attempt ? asVp(request, speaker.attempt, seed) : asSimone(request);
}

function asSimone(request: WireRequest): Says {
  const talk = readConversation(request, "last");
  const jobs = [...talk.asked.matchAll(/\bjob (\d+)\b/g)].map((match) => Number(match[1]));
  const [, factory] = /\bAll on ([a-z0-9-]+)\b/.exec(talk.asked) ?? [];
  const handed = talk.steps.filter((step) => step.name === "delegate");
  // One that was refused or cut off is asked for again: the tool's key, not its input, is what keeps it one task.
  const done = new Set(handed.filter((step) => !step.isError).map((step) => jobIn(String(step.input.title))));
  const next = jobs.find((job) => !done.has(job));
  const tries = handed.filter((step) => jobIn(String(step.input.title)) === next).length;
  if (next === undefined || tries >= 3)
    return { text: next === undefined ? "It is all handed out." : `I could not hand out ${titleOf(next)}.` };
  const input = { title: titleOf(next), instruction: `Write the slip of ${titleOf(next)}.`, kind: "coder", workspace, factory };
  return { call: { name: "delegate", input: fill(talk.tools.get("delegate"), input) } };
}

/** Some write the slip with a tool of the factory's, some by a command in the sandbox, some look at it too. */
function asVp(request: WireRequest, { task, epoch, job }: NonNullable<Speaker["attempt"]>, seed: number): Says {
  const { steps } = readConversation(request, "first");
  const slip = slipOf(job);
  const text = `job ${job}, task ${task}, attempt ${epoch}`;
  const shape = chance(seed, "shape", job);
  const write = { call: { name: "write", input: { path: slip, content: `${text}\n` } } };
  const command = { call: { name: "bash", input: { command: `mkdir -p jobs && echo '${text}' > ${slip} && cat ${slip}` } } };
  const plan = shape < 0.5 ? [write] : shape < 0.8 ? [command] : [write, command];
  const worked = steps.filter((step) => !step.isError).length;
  const next = plan[worked];
  if (!next || worked >= plan.length) return { call: { name: "finish", input: { status: "done", summary: text } } };
  // A call that a restart cut off may have been carried out: the command does no harm twice, and a file that is there is overwritten by it.
  return steps.length > worked ? command : next;
}

function jobIn(text: string): number {
  return Number(/\bjob (\d+)\b/.exec(text)?.[1] ?? 0);
}
