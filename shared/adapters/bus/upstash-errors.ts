/** What Upstash, its client, or what stands before it says when it fails, as what to do about it. */
import { UacError } from "#core/errors.ts";
import { denied, unavailable } from "./rules.ts";

/** The client puts the whole command into its errors, and with it the entry: no log needs that. */
export function withoutCommand(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof UacError) return error;
  const said = new Error(error.message.replace(/, command was: .*$/s, ""));
  said.name = error.name;
  return said;
}

/** Anything that is no denial leaves the outcome unknown: `bus_unavailable`. Nothing is sent again here. */
export function upstashFailure(doing: string, cause: unknown): UacError {
  if (!(cause instanceof Error) || cause instanceof UacError) return unavailable(doing, cause);
  const { name, message } = cause;
  if (/^unauthorized/i.test(message)) return denied(doing, cause);
  const known = advice.find(({ seen }) => seen.test(`${name}: ${message}`));
  if (!known) return unavailable(doing, cause);
  return new UacError("bus_unavailable", `Could not ${doing} on the bus: ${known.what}`, { cause });
}

const advice = [
  {
    seen: /max (daily )?requests? limit exceeded/i,
    what: "the Upstash plan's commands are used up. Raise the plan or its budget in the Upstash console, or wait until it counts anew; orders and reports wait where they are.",
  },
  {
    seen: /Pending Entries List limit/i,
    what: "too much that was read before is not acknowledged yet, and Upstash gives out no more until it is. What is pending is read and acknowledged first; if this stays, look at what cannot be settled.",
  },
  {
    seen: /^UpstashJSONParseError/,
    what: "something else than Upstash answered: a proxy's page, or a server's error. Check BUS_URL, and https://status.upstash.com; it is tried again.",
  },
  {
    seen: /^(TimeoutError|AbortError)/,
    what: "no answer came in time, so nobody knows whether it happened. Check the network and https://status.upstash.com; it is tried again.",
  },
  {
    seen: /^(TypeError|Error): .*(fetch failed|network|connect)/i,
    what: "its address can't be reached, or the answer got lost. Check BUS_URL and the network; it is tried again.",
  },
] as const;
