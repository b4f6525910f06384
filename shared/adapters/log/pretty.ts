/** Lines for a person at a terminal: `12:00:01 info  message  key=value`. */
import type { Log } from "#ports/log.ts";
import { formattedLog, type LogOptions } from "./json.ts";

export function prettyLog(options: LogOptions): Log {
  return formattedLog(options, ({ time, level, msg, fields }) => {
    const pairs = Object.entries(fields).map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
    return visible([time.slice(11, 19), level.padEnd(5), msg, ...pairs].join(" "));
  });
}

/** Text of others must not move the cursor or colour the screen: control characters become their pictures (U+2400…). */
function visible(text: string) {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (char) => (char < " " ? String.fromCharCode(0x2400 + char.charCodeAt(0)) : "\u{fffd}"));
}
