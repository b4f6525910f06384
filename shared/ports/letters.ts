/** What is said in a chat, until the chat confirmed it. Times are HQ's clock in milliseconds; `store_unavailable` on an outage. */
import type { Delivery, Letter } from "./chat.ts";

/** A letter in a sender's hands. */
export interface Leased extends Delivery {
  key: string;
  /** This try and those before it of which nobody knows whether they arrived: from 1. */
  attempts: number;
  /** This try is counted already. Another one is to be begun before it is sent: what a dead sender never tried is no doubt. */
  begun: boolean;
  /** When its words were written. */
  since: number;
}

export interface Letters {
  /** A letter that another one refers to is added before it or with it: a reference to nothing counts as dropped. */
  add(letters: readonly Letter[], now: number): Promise<void>;
  /**
   * Leases what is due, with references resolved: new messages before edits, else oldest first, and of a chat's edits one. A
   * letter whose reference is not sent yet waits; where it was dropped, a reply goes alone and an edit is dropped too.
   */
  take(now: number, leaseMs: number, limit: number): Promise<Leased[]>;
  /** Counts the try of a letter that was taken and is not begun. */
  begin(key: string): Promise<void>;
  /** After an edit, the chat's other edits wait a second. */
  sent(key: string, message: number | null, now: number): Promise<void>;
  /** `certain`: the chat did not take it, so this try does not count. */
  retryAt(key: string, at: number, error: string, certain: boolean): Promise<void>;
  /** Leaves a chat alone: none of the letters that wait for it is due before `until`. */
  rest(chat: number, until: number): Promise<void>;
  drop(key: string, error: string, now: number): Promise<void>;
  /** When the next letter is due; null if none waits. */
  nextDue(): Promise<number | null>;
}
