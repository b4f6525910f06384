/** One JSON object per line: for machines, and for Workers Logs. */
import type { Clock } from "#ports/clock.ts";
import type { Fields, Log } from "#ports/log.ts";
import type { Redactor } from "#ports/redactor.ts";
import { plain } from "./plain.ts";

export const levels = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof levels)[number];

export interface LogOptions {
  /** Takes one line without its newline. */
  write(line: string): void;
  redactor: Redactor;
  /** Lines below it are dropped. */
  level: Level;
  clock: Pick<Clock, "now">;
  fields?: Fields;
}

/** UTF-16 units of one string; the rest is cut after redaction, so that a cut never hides half a secret from the redactor. */
const maxString = 8000;

/** What a formatter is given: every string has passed the redactor. */
export interface Entry {
  time: string;
  level: Level;
  msg: string;
  fields: Record<string, unknown>;
}

/** `{"time":…,"level":…,"msg":…,…fields}`. Fields named `time`, `level` or `msg` lose to the line's own. */
export function jsonLog(options: LogOptions): Log {
  return formattedLog(options, ({ fields, ...own }) => JSON.stringify({ ...own, ...fields, ...own }));
}

/** A log with another line format. Never throws: a line that can't be made safe is replaced, one that can't be written is lost. */
export function formattedLog(options: LogOptions, format: (entry: Entry) => string): Log {
  const { redactor, clock, write, fields = {} } = options;

  const line = (level: Level) => (msg: string, more?: Fields) => {
    if (levels.indexOf(level) < levels.indexOf(options.level)) return;
    try {
      const time = new Date(clock.now()).toISOString();
      write(
        safely(() => makeLine(time, level, msg, more)) ??
          format({ time, level, msg: "[withheld: the line could not be redacted]", fields: {} }),
      );
    } catch {
      // The log is where errors end: there is nobody left to tell.
    }
  };

  const makeLine = (time: string, level: Level, msg: string, more?: Fields) => {
    const clean = (text: string) => cut(redactor.clean(text));
    const entry = { time, level, msg: clean(String(msg)), fields: plain({ ...fields, ...more }, clean) as Entry["fields"] };
    const text = format(entry);
    // A secret that only the whole line shows (a number, or two fields side by side) still must not pass.
    const cleaned = redactor.clean(text);
    return cleaned === text ? text : format({ time, level, msg: cleaned, fields: {} });
  };

  return {
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
    with: (more) => formattedLog({ ...options, fields: { ...fields, ...more } }, format),
  };
}

function cut(text: string) {
  return text.length > maxString ? `${text.slice(0, maxString)}… [${text.length - maxString} more]` : text;
}

function safely<T>(make: () => T): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}
