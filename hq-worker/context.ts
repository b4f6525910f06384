/** What a request to HQ is handled with. Hono hands it on as the request's bindings. */

import type { Hono } from "hono";
import type { Headquarters } from "#factory/headquarters.ts";

/** The desks of the chats: each works its chat's messages off, one at a time. */
export interface Desks {
  /** Wakes the desk of a chat, now or at a time (ms). Returns once the wake-up is durable. */
  ring(chat: number, at?: number): Promise<void>;
}

export interface Digest {
  hash(secret: string): Promise<string>;
  fingerprint(thumbprint: string): string;
}

export interface HqContext {
  hq: Headquarters;
  desks: Desks;
  digest: Digest;
  dashboard: { fetch(request: Request): Response | Promise<Response> };
  /** Goes on after the response; failures are logged. */
  later(work: Promise<unknown>): void;
}

/** What a composition opens: all but `later`, which whoever serves a request brings. `close` ends its connections. */
export type Opened = Omit<HqContext, "later"> & { close(): Promise<void> };

export type HqApp = Hono<{ Bindings: HqContext }>;
