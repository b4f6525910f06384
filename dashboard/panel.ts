/** What a page is: its address, its question to the database, what it says. `panels/index.ts` has one row for each. */
import type { JSX } from "hono/jsx/jsx-runtime";
import type { DashboardDb } from "./db.ts";

export interface Ask {
  db: DashboardDb;
  /** HQ's clock, milliseconds. */
  now: number;
  params: Readonly<Record<string, string>>;
  query: Readonly<Record<string, string>>;
  /** The name of headquarters' primary persona: who the reader writes to. */
  primary: string;
  /** Where headquarters is, if these pages are a copy that can't act. */
  hqUrl: string | null;
}

export interface Screen {
  title: string;
  body: JSX.Element;
  /** When it would look different though nothing was written; absent: never. */
  changesAt?: number;
}

export interface Panel {
  path: string;
  /** Its name in the navigation; null where it is reached by links. */
  nav: string | null;
  /** Null: there is no such thing. */
  show(ask: Ask): Promise<Screen | null>;
}
