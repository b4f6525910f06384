/** A town for one test file: jobs asked for, processes met at a point, and at the end the judgement of a chaos run. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { isTerminal } from "#core/task.ts";
import type { Dealer } from "../../dev/chaos/dealer.ts";
import { dealerIn } from "../../dev/chaos/dealer.ts";
import type { Verdict } from "../../dev/chaos/gate.ts";
import { judge, settled } from "../../dev/chaos/judge.ts";
import type { TownBranch } from "../../dev/chaos/machine.ts";
import type { Member } from "../../dev/chaos/member.ts";
import type { Call } from "../../dev/chaos/model.ts";
import type { Point } from "../../dev/chaos/points.ts";
import { randomFrom } from "../../dev/chaos/random.ts";
import { titleOf, wishFor } from "../../dev/chaos/script.ts";
import { openTown, type Town, type TownOptions } from "../../dev/chaos/town.ts";
import { until } from "../e2e/until.ts";

/** A task's end as headquarters has it. */
export interface End {
  id: string;
  state: string;
  epoch: number;
  lost: number;
  factory: string;
  code: string;
  /** `<epoch> <factory> <outcome>` of each attempt. */
  attempts: string[];
  /** Kinds of its events, in order. */
  story: string[];
}

export interface Scene {
  town: Town;
  dealer: Dealer;
  branch(id: string): TownBranch;
  /** Asks for a job, of one factory if named. Resolves to its number once headquarters has the message. */
  ask(factory?: string): Promise<number>;
  taskOf(job: number): Promise<{ id: string; state: string; epoch: number; factory: string | null } | undefined>;
  /** The task once it is in this state. */
  inState(job: number, state: string, epoch?: number): Promise<string>;
  /** The end of a job's task, once the chat has it. */
  endOf(job: number): Promise<End>;
  /** Holds the model's answers to a job, from its `from`-th call in an attempt on, until they are released. */
  hold(job: number): { call: Promise<Call>; release(): void };
  /** Arms a point; resolves when every process knows. `reached` is the process that came there, once `act` is through. */
  at(point: Point, act: (member: Member) => Promise<Verdict>): Promise<{ reached: Promise<string> }>;
  /** The same with kill -9, and a start a moment later. */
  killAt(point: Point): Promise<{ reached: Promise<string> }>;
  incidents(kind: string): Promise<string[]>;
  /** The owner asks to stop a task. */
  cancel(task: string): void;
  /** Jobs that are meant to fail. */
  hopeless: Set<number>;
  /** Closes the town; every invariant of a run must hold. */
  close(): Promise<void>;
}

/** So often a process asks what is armed; twice, and a little. */
const freshMs = 400;
const endMs = 120_000;

export async function openScene(options: Omit<TownOptions, "dir" | "seed">): Promise<Scene> {
  const dir = await mkdtemp(join(tmpdir(), "uac-chaos-"));
  const town = await openTown({ ...options, dir, seed: 1 }).catch(async (error: unknown) => {
    await rm(dir, { recursive: true, force: true });
    throw error;
  });
  const dealer = dealerIn(town, randomFrom(1));
  const jobs: number[] = [];
  const wishes: number[] = [];
  const hopeless = new Set<number>();
  const cancelled = new Set<string>();
  const held = new Map<number, { call: (call: Call) => void; released: Promise<void> }>();
  town.model.pace = async (call) => {
    const hold = held.get(call.attempt?.job ?? 0);
    hold?.call(call);
    await (hold?.released ?? town.clock.sleep(1500));
  };
  const taskOf: Scene["taskOf"] = async (job) =>
    (
      await town.rows<{ id: string; state: string; epoch: number; factory: string | null }>(
        "select id, state, epoch, factory from tasks where title = ?",
        [titleOf(job)],
      )
    )[0];

  const at: Scene["at"] = async (point, act) => {
    const reached = dealer.reached(point, act);
    reached.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, freshMs));
    return { reached };
  };

  return {
    town,
    dealer,
    hopeless,
    taskOf,
    at,
    branch: (id) => town.branches.find((branch) => branch.id === id) as TownBranch,
    async ask(factory) {
      const job = jobs.length + 1;
      jobs.push(job);
      const { id } = town.telegram.say(wishFor([job], factory));
      wishes.push(id);
      return job;
    },
    async inState(job, state, epoch) {
      const { id } = await until(
        `job ${job} is ${state}`,
        async () => {
          const task = await taskOf(job);
          return task?.state === state && (epoch === undefined || task.epoch === epoch) && task;
        },
        endMs,
      );
      return id;
    },
    async endOf(job) {
      const { id } = await until(
        `the end of job ${job}`,
        async () => {
          const task = await taskOf(job);
          return task && isTerminal(task.state as never) && task;
        },
        endMs,
      );
      await until(
        `job ${job} is told`,
        async () => (await town.rows("select key from letters where key = ? and sent_at is not null", [`done:${id}`])).length > 0,
        endMs,
      );
      const [task] = await town.rows<Omit<End, "attempts" | "story">>(
        "select id, state, epoch, lost, factory, code from tasks where id = ?",
        [id],
      );
      const attempts = await town.rows<{ epoch: number; factory: string; outcome: string }>(
        "select epoch, factory, outcome from attempts where task = ? order by epoch",
        [id],
      );
      const story = await town.rows<{ kind: string }>("select kind from task_events where task = ? order by id", [id]);
      return {
        ...(task as Omit<End, "attempts" | "story">),
        attempts: attempts.map(({ epoch, factory, outcome }) => `${epoch} ${factory} ${outcome}`),
        story: story.map(({ kind }) => kind),
      };
    },
    hold(job) {
      const call = Promise.withResolvers<Call>();
      const release = Promise.withResolvers<void>();
      held.set(job, { call: call.resolve, released: release.promise });
      return {
        call: call.promise,
        release() {
          held.delete(job);
          release.resolve();
        },
      };
    },
    killAt: (point) =>
      at(point, async (member) => {
        await member.kill(member.id === "hq" ? "group" : "program");
        dealer.heal(member.id, 3000, member.start);
        return "go";
      }),
    cancel(task) {
      cancelled.add(task);
      town.telegram.say(`/cancel ${task}`);
    },
    incidents: async (kind) =>
      (await town.rows<{ text: string }>("select text from incidents where kind = ?", [kind])).map(({ text }) => text),
    async close() {
      await dealer.healed();
      const around = await settled(town);
      const { invariants } = await judge(town, { jobs, wishes, landed: dealer.landed, cancelled, hopeless }, around);
      // Which branch gets these few jobs is the scene's affair, not the town's.
      const judged = invariants.filter(({ name }) => !name.startsWith("every branch works"));
      const broken = judged.flatMap(({ name, broken }) => broken.map((what) => `${name}: ${what}`));
      expect(broken).toEqual([]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}
