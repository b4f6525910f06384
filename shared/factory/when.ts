/** Moments and waits, as the owner reads them and as a model writes them. Times are ms since 1970; what is shown is UTC. */
import { UacError } from "#core/errors.ts";

const minuteMs = 60_000;
/** Nobody means a wait that is longer. */
const farthestMs = 366 * 24 * 60 * minuteMs;

/** `2026-11-23 14:05 UTC`. */
export function moment(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** `2026-11-23 14:05 UTC, Monday`: enough to reckon with "by Friday". */
export function today(at: number): string {
  return `${moment(at)}, ${new Date(at).toLocaleDateString("en", { weekday: "long", timeZone: "UTC" })}`;
}

/** `40 s`, `3 min`: how long until then. */
export function wait(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  return s < 120 ? `${s} s` : `${Math.round(s / 60)} min`;
}

/**
 * A moment as a model writes it: minutes from `from`, or ISO 8601 with its zone. Throws `bad_input`, naming `what`, for anything
 * else, for what is over and for what is more than a year away.
 */
export function parseMoment(text: string | number, what: string, from: number): number {
  const said = String(text).trim();
  const minutes = /^\d+(\.\d+)?$/.test(said);
  if (!minutes && !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/i.test(said)) {
    throw unusable(what, said, "is neither minutes from now nor a time like 2026-11-23T14:05Z with its zone");
  }
  const at = minutes ? from + Number(said) * minuteMs : Date.parse(said);
  if (Number.isNaN(at)) throw unusable(what, said, "is no date of the calendar");
  if (at <= from) throw unusable(what, said, `is over: it is ${today(from)}`);
  if (at > from + farthestMs) throw unusable(what, said, "is more than a year away");
  return Math.round(at);
}

function unusable(what: string, said: string, why: string) {
  return new UacError("bad_input", `${what} ${said.slice(0, 40)} ${why}.`);
}
