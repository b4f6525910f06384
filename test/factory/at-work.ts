/** A factory at work, for the tests of its loop: on a branch's bench, with answers of HQ's to hand out. */
import { afterEach, beforeEach, expect } from "vitest";
import type { ScriptedReply } from "#adapters/llm/scripted.ts";
import type { Order } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import type { HeartbeatReply } from "#core/hq-api.ts";
import { seal } from "#factory/seal.ts";
import { runFactory } from "../../branch-agent/loop.ts";
import { quietReply } from "../support/heartbeats.ts";
import { finish } from "./agent.ts";
import { type BranchBench, type BranchOptions, openBranch, orderOf } from "./branch.ts";

export let b: BranchBench;
export let drain: AbortController;
export let halt: AbortController;
export let running: Promise<void> | null;
export let beats: Partial<HeartbeatReply>[];

/** To be called once by each file of tests: hooks belong to the file that registers them, and this one is loaded once for several. */
export function atWork() {
  beforeEach(() => {
    drain = new AbortController();
    halt = new AbortController();
    running = null;
    beats = [];
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
  if (options.model === "endless") b.branch.llmFor = () => ({ ...b.llm, complete: (request) => endless(request as never) as never });
  b.branch.hq.heartbeat = async () => quietReply(beats.shift());
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

/** As after a kill: what starts now has a halt of its own. */
export function again() {
  halt = new AbortController();
}
