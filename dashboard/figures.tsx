/** Small pieces that several panels show: moments, ages, bylines. */
import type { Child } from "hono/jsx";
import { byline } from "#core/persona.ts";
import { moment, plain, span } from "./text.ts";

/** `12 s ago`. The script keeps it moving; without it the text is true for `now`. */
export function Ago({ at, now }: { at: number; now: number }) {
  return (
    <time datetime={new Date(at).toISOString()} data-at={at} title={moment(at)}>
      {`${span(now - at)} ago`}
    </time>
  );
}

/** The same without "ago": `3 h`, for "connected since" and the like. */
export function Since({ at, now }: { at: number; now: number }) {
  return (
    <time datetime={new Date(at).toISOString()} data-at={at} data-bare="" title={moment(at)}>
      {span(now - at)}
    </time>
  );
}

/** The time of day, UTC; the date is in its title. */
export function Clock({ at }: { at: number }) {
  return (
    <time datetime={new Date(at).toISOString()} title={moment(at)}>
      {new Date(at).toISOString().slice(11, 19)}
    </time>
  );
}

/** Who and where, as far as it is known. */
export function Byline({ persona, factory }: { persona: string | null; factory: string | null }) {
  if (persona && factory) return <>{byline(persona, factory)}</>;
  return <>{persona ?? factory ?? "nobody yet"}</>;
}

export function TaskLink({ id, title }: { id: string; title: string }) {
  return <a href={`/tasks/${encodeURIComponent(id)}`}>{title === "" ? id : plain(title)}</a>;
}

/** What a program printed. A focusable region, so that a keyboard can scroll it sideways. */
export function Printed({ label, children }: { label: string; children: Child }) {
  return (
    <section class="printed" tabindex={0} aria-label={label}>
      <pre>{children}</pre>
    </section>
  );
}
