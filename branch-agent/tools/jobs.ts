/** Commands that go on while the model works: bounded in number, time and output, all over when the run is. */
import type { ToolCall, ToolResult } from "#ports/tool.ts";
import type { Entry } from "#ports/transcript.ts";
import { type BoundedOutput, boundedOutput } from "../sandbox/bounded-output.ts";
import { Refusal } from "./confine.ts";
import type { CoderContext } from "./context.ts";
import { holdsByDescriptor } from "./held.ts";
import { keep, keptOutput, shorten } from "./shown-output.ts";

/** At once. */
const mostJobs = 4;
const longestMs = 60 * 60_000;
/** How long an answer waits for the job's end or for news, and after news for more of it: a model that polls pays for each answer. */
const firstLookMs = 500;
const pollMs = 60_000;
const gatherMs = 2000;
/** Bytes between two polls; what is beyond is in the log. */
const freshOutput = 64 * 1024;
/** Bytes of an unfinished line that are held back, so that no secret is told in two halves, which nobody would know for one. */
const heldBack = 4096;

export interface Jobs {
  /** Resolves as a poll does, after a short look. Refuses one too many. */
  start(command: string, call: ToolCall): Promise<ToolResult>;
  poll(id: string, signal: AbortSignal): Promise<ToolResult>;
  kill(id: string): Promise<ToolResult>;
  /** Something of the model's runs now, and may move what a file tool looks at. */
  isAnyRunning(): boolean;
  /** Ends all. Resolves when no process of theirs is left, and what ran was told. */
  close(): Promise<void>;
  /** Those that a transcript tells of as running and that are not here: they ended with the factory that ran them. */
  lost(entries: readonly Entry[]): string[];
}

interface Job {
  id: string;
  key: string;
  started: number;
  fresh: BoundedOutput;
  all: BoundedOutput;
  partial: Buffer;
  hasLog: boolean;
  /** How it ended, in words; null: it has not. */
  ending: string | null;
  stop: AbortController;
  over: Promise<void>;
  /** Called at news and at the end. */
  wake(): void;
}

export function backgroundJobs({ sandbox, scope, worktree, logDir, redact, ran }: CoderContext): Jobs {
  const jobs = new Map<string, Job>();
  let closing = false;

  const runningNow = () => [...jobs.values()].filter((job) => job.ending === null);

  function start(command: string, { key, signal }: ToolCall): Promise<ToolResult> {
    if (!holdsByDescriptor) throw new Refusal("Jobs are offered on Linux only. Run the command in the foreground.");
    const running = runningNow();
    if (closing || running.length >= mostJobs) {
      throw new Refusal(`${mostJobs} jobs run already: ${running.map(({ id }) => id).join(", ")}. Kill one, or wait for its end.`);
    }
    const stop = new AbortController();
    const job: Job = {
      ...{ id: /\d+-\d+$/.exec(key)?.[0] ?? key, key, started: performance.now(), ending: null, hasLog: false, stop, wake: () => {} },
      ...{ fresh: boundedOutput(freshOutput), all: boundedOutput(keptOutput), partial: Buffer.alloc(0), over: Promise.resolve() },
    };
    jobs.set(job.id, job);
    const { path: cwd } = worktree;
    const bounds = { timeoutMs: longestMs, maxOutput: heldBack, signal: AbortSignal.any([signal, stop.signal]) };
    const run = sandbox.run(scope, { command, cwd, env: {}, ...bounds, onOutput: (chunk) => take(job, Buffer.from(chunk)) });
    job.over = run
      .then(
        ({ exitCode, timedOut, durationMs }) => {
          const how = timedOut ? `ended after ${longestMs / 60_000} minutes, the most a job may take` : "killed";
          job.ending = exitCode === null ? how : `exit ${exitCode}, ${seconds(durationMs)}`;
          return ran({ command: redact(command).slice(0, 2000), exitCode, durationMs });
        },
        (error: Error) => {
          job.ending = `it could not run: ${error.message}`;
        },
      )
      .finally(() => {
        job.fresh.push(job.partial);
        job.partial = Buffer.alloc(0);
        job.wake();
      });
    // Whoever polls it or closes hears of a failure.
    job.over.catch(() => {});
    return look(job, firstLookMs, signal);
  }

  function take(job: Job, chunk: Buffer) {
    job.all.push(chunk);
    const text = job.partial.length > 0 ? Buffer.concat([job.partial, chunk]) : chunk;
    const end = text.length - text.lastIndexOf(lineFeed) - 1 > heldBack ? text.length : text.lastIndexOf(lineFeed) + 1;
    job.partial = Buffer.from(text.subarray(end));
    if (end === 0) return;
    job.fresh.push(Buffer.from(text.subarray(0, end)));
    job.wake();
  }

  /** Waits for the end, or for news and some more; then tells what came since the last look. */
  async function look(job: Job, forMs: number, signal: AbortSignal): Promise<ToolResult> {
    const has = () => job.fresh.read().output !== "";
    const news = new Promise<void>((resolve) => {
      job.wake = resolve;
    });
    if (job.ending === null && !has()) await within(forMs, news, signal);
    if (job.ending === null && has()) await within(Math.min(gatherMs, forMs), job.over, signal);
    if (job.ending !== null) await job.over;
    return tell(job);
  }

  async function tell(job: Job): Promise<ToolResult> {
    const { output, truncated } = job.fresh.read();
    job.fresh = boundedOutput(freshOutput);
    const clean = redact(output).trimEnd();
    const brief = shorten(clean);
    job.hasLog ||= truncated || brief !== clean;
    const log = job.hasLog ? await keep(logDir, job.key, redact(job.all.read().output)) : "";
    const state = job.ending === null ? `running, ${clock(performance.now() - job.started)}` : `ended, ${job.ending}`;
    return { content: `${brief}${brief ? "\n" : ""}[job ${job.id}: ${state}]${log}` };
  }

  function find(id: string): Job {
    const job = jobs.get(id);
    if (job) return job;
    const known = [...jobs.keys()].join(", ") || "none";
    throw new Refusal(`There is no job "${id}" (there are: ${known}). One from before a restart of the factory ended then: start it anew.`);
  }

  return {
    start,
    isAnyRunning: () => runningNow().length > 0,
    poll: async (id, signal) => look(find(id), pollMs, signal),
    async kill(id) {
      const job = find(id);
      job.stop.abort();
      await job.over;
      return tell(job);
    },
    async close() {
      closing = true;
      for (const job of jobs.values()) job.stop.abort();
      await Promise.all([...jobs.values()].map((job) => job.over));
    },
    lost(entries) {
      const states = entries.flatMap((entry) => (entry.type === "result" ? [...entry.content.matchAll(told)] : []));
      const last = new Map(states.map(([, id = "", state]) => [id, state]));
      const heard = entries.flatMap((entry) => (entry.type === "user" ? [entry.text] : [])).join("\n");
      return [...last].flatMap(([id, state]) =>
        state === "running" && !jobs.has(id) && !heard.includes(lostNote(id)) ? [lostNote(id)] : [],
      );
    },
  };
}

const lineFeed = 0x0a;
/** How a result ends that tells of a job. */
const told = /\[job (\S+): (running|ended),[^\]]*\](?=$|\n\[all of it)/g;
const lostNote = (id: string) => `The factory was restarted, and job ${id} ended with it. Start it anew if you need it.`;
/** Not as a duration, which counts as no news: whoever waits for a silent job is not going round in circles. */
const clock = (ms: number) => `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** Until `work` is done, the signal fires, or the time is over. */
async function within(ms: number, work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let stop = () => {};
  const over = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const timer = setTimeout(stop, ms);
  signal.addEventListener("abort", stop);
  await Promise.race([work, over]).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  });
}
