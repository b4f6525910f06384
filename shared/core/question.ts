/** A question to the owner: durable, with options, an expiry and a default, answered once. Pure. */

/** Where an answer came from. `expiry`: nobody answered in time; `event`: what was asked about settled itself. */
export const answerWays = ["telegram", "dashboard", "command", "expiry", "event"] as const;
