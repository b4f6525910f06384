/** A factory at work, for the tests of its loop: on a branch's bench, with answers of HQ's to hand out. */
import { afterEach, beforeEach, expect } from "vitest";
import type { ScriptedReply } from "#adapters/llm/scripted.ts";
import type { Control, NewControl } from "#core/control.ts";
import type { Order } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import type { HeartbeatReply } from "#core/hq-api.ts";
import { seal } from "#factory/seal.ts";
import { runFactory } from "../../branch-agent/loop.ts";
import { quietReply } from "../support/heartbeats.ts";
import { finish, use } from "./agent.ts";
import { type BranchBench, type BranchOptions, openBranch, orderOf } from "./branch.ts";

export let b: BranchBench;
export let drain: AbortController;
export let halt: AbortController;
export let running: Promise<void> | null;
export let beats: Partial<HeartbeatReply>[];
/** How often a model that thinks endlessly was asked. */
let thoughts: number;

/** To be called once by each file of tests: hooks belong to the file that registers them, and this one is loaded once for several. */
export function atWork() {
  beforeEach(() => {
    drain = new AbortController();
    halt = new AbortController();
    running = null;
    beats = [];
    thoughts = 0;
    seen.length = 0;
  });
  afterEach(async () => {
    halt.abort();
    await running?.catch(() => undefined);
    await b.close();
  });
}

/** A model that finishes at once. */
export const quick = (): ScriptedReply => finish();
/** A model that thinks until it is told to stop. */
export const endless = ({ signal }: { signal?: AbortSignal }) =>
  new Promise<ScriptedReply>((_, reject) => signal?.addEventListener("abort", () => reject(new UacError("interrupted", "cancelled"))));

export async function open(options: BranchOptions & { model?: "quick" | "endless" } = {}) {
  b = await openBranch({ script: quick, tests: null, ...options });
  b.branch.hq.heartbeat = async () => quietReply(beats.shift());
  if (options.model !== "endless") return;
  const complete = (request: object) => {
    thoughts += 1;
    return endless(request) as never;
  };
  b.branch.llmFor = () => ({ ...b.llm, complete });
}
export function start() {
  running = runFactory(b.branch, { drain: drain.signal, halt: halt.signal });
  running.catch(() => undefined);
  return { ended: running };
}
/** Puts an order on the bus, as HQ does. */
export async function send(changed: Partial<Order> = {}) {
  const body = orderOf(changed);
  const from = { self: "hq", signer: b.hqSigner, clock: b.clock, ids: b.branch.ids };
  const { jws } = await seal(from, "order", body, { aud: "desk-1", corr: body.task, seq: 1 });
  await b.bus.publish({ factory: "desk-1", channel: "in" }, jws);
}
/** Whoever works on it is past its claim and waits for its model, which is an endless one. */
export const isThinking = () => until(() => thoughts > 0);
const seen: { kind: string; corr: string | null; body: object }[] = [];
export async function results(n: number) {
  await expect
    .poll(async () => {
      seen.push(...(await b.said()).filter(({ kind }) => kind === "result"));
      return seen.length;
    }, patience)
    .toBe(n);
  return seen;
}
/** A bound, not an expectation: a busy machine takes its time. */
const patience = { timeout: 8000 };
export const until = (what: () => unknown) => expect.poll(what, patience).toBeTruthy();
export const modelCalls = () => b.llm.requests.length;
export const pending = () =>
  b.bus.read({ from: [{ factory: "desk-1", channel: "in" }], consumer: "desk-1", what: "own", count: 9, blockMs: 0 });

/** What HQ answers to the next heartbeats. */
export function answers(next: Partial<HeartbeatReply>[]) {
  beats = next;
}

/** As after a kill: what starts now is told to stop, or to drain, for itself. */
export function again() {
  halt = new AbortController();
  drain = new AbortController();
}

/** Seals a control as HQ does, and puts it on the bus or into the answer to the next heartbeat. */
export async function told(control: NewControl & { seq: number }, way: "bus" | "heartbeat" | "both" = "bus") {
  const from = { self: "hq", signer: b.hqSigner, clock: b.clock, ids: b.branch.ids };
  const body = control as Control;
  if (way !== "bus") beats.push({ controls: [body] });
  if (way !== "heartbeat") {
    const { jws } = await seal(from, "control", body, { aud: "desk-1", corr: null, seq: body.seq });
    await b.bus.publish({ factory: "desk-1", channel: "ctl" }, jws);
    await until(async () => {
      await b.advance(100);
      return b.lines.some((line) => line.includes(`"control":"${body.id}"`));
    });
  }
  if (way !== "bus") {
    await until(async () => {
      await b.advance(5000);
      return beats.length === 0;
    });
  }
}
export const attempt = { task: "t1-1-1", epoch: 1 };
export const isRunning = () => until(async () => (await b.journal.find("t1-1-1", 1))?.state === "running");
/** A model that makes a step whenever the test lets it, and finishes when `over`. */
export function stepper() {
  const gates: (() => void)[] = [];
  const state = { over: false };
  const script = async () => {
    await new Promise<void>((resolve) => void gates.push(resolve));
    return state.over ? finish() : { tools: [use("edit", { n: gates.length })] };
  };
  /** Lets the call that waits go on. */
  const step = async () => {
    await until(() => gates.length > 0);
    gates.shift()?.();
  };
  return { script, step, waits: () => gates.length > 0, end: () => (state.over = true) };
}
/** The last heartbeat's word on what runs. */
export function watchBeats() {
  const sent: string[] = [];
  const answer = b.branch.hq.heartbeat;
  b.branch.hq.heartbeat = (jws) => {
    sent.push(jws);
    return answer(jws);
  };
  const bodies = () =>
    sent.map((jws) => JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString()).body as Record<string, unknown>);
  return bodies;
}
