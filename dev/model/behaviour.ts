/** How the stand-in misbehaves when a test wants to see what the others do about it. */
import type { Says } from "./wire.ts";

export const behaviours = [
  "honest",
  /** Calls harmless tools for ever, each call a new one. */
  "never-finishes",
  /** Calls the same tool with the same input for ever. */
  "repeats",
  /** As a coder: runs a command that goes on for long, leaves its group, and ignores being asked to end. */
  "holds-on",
  "unknown-tool",
  /** A whole tool call whose input fits no schema. */
  "bad-input",
  /** A tool call whose JSON is broken on the wire. */
  "garbage",
  /** A tool call whose JSON is two objects in a row. */
  "concatenated",
  "refuses",
  "cuts-stream",
  /** Sends headers and half a message, then nothing. */
  "stalls",
  "overloaded",
  /** The same as an event of a stream that began with HTTP 200. */
  "overloaded-inside",
  /** A page instead of an answer, with HTTP 200: a captive portal. */
  "html",
  /** The whole message as JSON though a stream was asked for. */
  "json-on-stream",
  /** Never tells what it used. */
  "no-usage",
  /** Numbers its blocks, calls or items with gaps. */
  "index-gaps",
  /** Has no money left. */
  "empty-account",
  /** A plan whose window is used up. */
  "quota",
] as const;

/** One of the above, `slow:<ms>` (honest, later), or `status:<code>` (an HTTP error). */
export type Behaviour = (typeof behaviours)[number] | `slow:${number}` | `status:${number}`;

export function isBehaviour(value: unknown): value is Behaviour {
  return typeof value === "string" && ((behaviours as readonly string[]).includes(value) || /^(slow|status):\d{1,6}$/.test(value));
}

export interface BehaveOptions {
  /** For so many requests, then honest again. */
  times?: number;
  /** Only in this role. */
  role?: Role;
}

/** Known by the tools that a request offers. */
export type Role = "front-desk" | "coder" | "none";

export function roleOf(tools: ReadonlySet<string>): Role {
  if (tools.has("delegate")) return "front-desk";
  const edits = tools.has("edit") || tools.has("apply_patch");
  return edits && ["bash", "read", "finish"].every((name) => tools.has(name)) ? "coder" : "none";
}

/** Seconds that the command of "holds-on" sleeps: its processes are known by them. */
export const holdOnS = 86_399;
const holdOn = `trap '' TERM; (setsid sh -c 'trap "" TERM HUP; sleep ${holdOnS}' > /dev/null 2>&1 &); while :; do sleep ${holdOnS}; done`;

/** What a misbehaving model says instead, or null to let it say the honest thing. `count` is the number of the request. */
export function misbehave(behaviour: Behaviour, role: Role, count: number): Says | null {
  const busy = (n: number) =>
    role === "coder"
      ? { name: "bash", input: { command: `echo still working, ${n}` } }
      : { name: "fleet", input: n % 2 ? {} : { again: n } };
  switch (behaviour) {
    case "never-finishes":
      return { text: `Not done yet (${count}).`, call: busy(count) };
    case "repeats":
      return { call: role === "coder" ? { name: "bash", input: { command: "true" } } : { name: "fleet", input: {} } };
    case "holds-on":
      return { call: role === "coder" ? { name: "bash", input: { command: holdOn, timeout_s: 600 } } : busy(count) };
    case "unknown-tool":
      return { call: { name: "teleport", input: { to: "the Moon" } } };
    case "bad-input":
      return { call: { name: role === "coder" ? "read" : "delegate", input: { banana: 1 } } };
    case "garbage":
    case "concatenated":
      return { call: { name: role === "coder" ? "bash" : "fleet", input: { command: "rm -rf / # must never run" } } };
    case "refuses":
      return { text: "I can't help with that." };
    default:
      return null;
  }
}
