/** What HQ says in a chat, and the one that says it. Letters wait in the store until the chat confirmed them. */
import type { RichText } from "#core/rich-text.ts";

export interface Button {
  label: string;
  /** Exactly one: at most 64 bytes that come back as a tap, or an address. */
  tap?: string;
  url?: string;
}

/** `key`s name earlier letters: the message that a letter replies to or edits is found when it is sent. */
export type LetterBody =
  | { kind: "text"; content: RichText; buttons: Button[][]; silent: boolean; replyTo: ReplyTo | null }
  | { kind: "edit"; of: string; content: RichText; buttons: Button[][] }
  | { kind: "document"; filename: string; data: string; caption: string; silent: boolean; replyTo: ReplyTo | null }
  | { kind: "react"; message: number; emoji: string }
  | { kind: "answer"; tap: string; text: string };

export type ReplyTo = { letter: string } | { message: number };

export interface Letter {
  /** Idempotency key. A second letter with the key is ignored; an `edit` replaces the one that waits. */
  key: string;
  chat: number;
  body: LetterBody;
}

/** A letter with its references resolved to message ids. */
export interface Delivery {
  chat: number;
  body: LetterBody;
  /** The message that is replied to, or edited. */
  refersTo: number | null;
}

/**
 * How a send ended. `unknown`: no answer came, so it may have arrived: the caller sends it again (a message twice is
 * better than a completion lost; edits and reactions are the same twice).
 */
export type Delivered =
  | { ok: true; message: number | null }
  | { ok: false; why: "retry" | "unknown"; afterMs: number; error: string }
  | { ok: false; why: "refused"; error: string };

export interface Chat {
  /** Never throws: every outcome is a `Delivered`. */
  deliver(delivery: Delivery): Promise<Delivered>;
}

/** What a person sent. Stored whole before anything happens. */
export type Inbound =
  | { kind: "text"; chat: number; message: number; from: number; name: string; text: string; replyTo: number | null; forwarded: boolean }
  | { kind: "tap"; chat: number; message: number; from: number; name: string; tap: string; data: string };
