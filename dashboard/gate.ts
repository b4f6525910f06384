/** Who may look: one-time login links, session cookies, and forms that really come from these pages. */
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { Clock } from "#ports/clock.ts";
import type { Access } from "#ports/store.ts";

export const sessionMs = 12 * 3600 * 1000;

/** What the pages need of `Access`. */
export type DashboardAccess = Pick<Access, "redeemLogin" | "session" | "endSession">;

export interface Gate {
  /** True if the request carries a session that is open. */
  open(c: Context): Promise<boolean>;
  /** Uses a login token up and starts a session; false if the token is unknown, used or too old. */
  enter(c: Context, token: string): Promise<boolean>;
  leave(c: Context): Promise<void>;
}

export function gate(access: DashboardAccess, clock: Clock): Gate {
  return {
    async open(c) {
      const session = readCookie(c);
      return session !== undefined && access.session(await sha256(session), clock.now());
    },
    async enter(c, token) {
      if (!/^[A-Za-z0-9_-]{16,256}$/.test(token)) return false;
      const session = base64url(crypto.getRandomValues(new Uint8Array(32)));
      const now = clock.now();
      const row = { hash: await sha256(session), expiresAt: now + sessionMs };
      if (!(await access.redeemLogin(await sha256(token), row, now))) return false;
      writeCookie(c, session);
      return true;
    },
    async leave(c) {
      const session = readCookie(c);
      if (session !== undefined) await access.endSession(await sha256(session));
      deleteCookie(c, "uac", onLoopback(c) ? {} : { prefix: "host" });
    },
  };
}

/**
 * True if a browser says that this site's own page sent the form. `Referrer-Policy: no-referrer` makes browsers send
 * `Origin: null` for it, so `Sec-Fetch-Site` counts first; `Origin` is for browsers that don't know the former.
 */
export function fromOwnPage(request: Request): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null) return site === "same-origin";
  const origin = request.headers.get("origin");
  return origin !== null && URL.canParse(origin) && new URL(origin).host === new URL(request.url).host;
}

/** A path on this site, or `/` for anything else: another host, a scheme, a backslash, `//`. */
export function ownPath(path: string | undefined): string {
  return path !== undefined && /^\/(?![/\\])[A-Za-z0-9_\-./?=&%]*$/.test(path) ? path : "/";
}

/** SHA-256 as base64url without padding: how tokens and sessions are stored. */
export async function sha256(text: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}

// Safari refuses Secure cookies on http://localhost, so that there alone the cookie is a plain one.
function onLoopback(c: Context): boolean {
  const { protocol, hostname } = new URL(c.req.url);
  return protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}

function readCookie(c: Context): string | undefined {
  return onLoopback(c) ? getCookie(c, "uac") : getCookie(c, "uac", "host");
}

function writeCookie(c: Context, session: string): void {
  const options = { path: "/", httpOnly: true, sameSite: "Lax", maxAge: sessionMs / 1000 } as const;
  setCookie(c, "uac", session, onLoopback(c) ? options : { ...options, secure: true, prefix: "host" });
}
