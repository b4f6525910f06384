/** How Upstash, or what lies before it, fails: for tests to play. */

export type Fault = Answer | "hang" | "lost";

interface Answer {
  status: number;
  type: string;
  body: string;
}

const refusal = (status: number, error: string): Answer => ({ status, type: "application/json", body: JSON.stringify({ error }) });

export const faults = {
  /** The token was changed, or its user deleted. */
  unauthorized: refusal(401, "WRONGPASS invalid or missing auth token"),
  /** The plan's commands are used up. */
  quota: refusal(
    400,
    "ERR max requests limit exceeded. Limit: 500000, Usage: 500000. See https://upstash.com/docs/redis/troubleshooting/max_requests_limit for details",
  ),
  /** The same on plans that count by day. */
  dailyQuota: refusal(
    400,
    "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000. See https://docs.upstash.com/overall/databasetypes for details",
  ),
  /** More was given to one consumer than Upstash lets lie unacknowledged. */
  pendingLimit: refusal(
    400,
    "ERR XReadGroup is cancelled. Pending Entries List limit per consumer is about to be reached. Limit: 1000, Current PEL size: 990, Requested Read: 20, Key: k, Group: g, Consumer: c.",
  ),
  /** A proxy's page. */
  html: { status: 500, type: "text/html", body: "<html><body><h1>500 Internal Server Error</h1></body></html>" },
  /** Nothing is done, and nothing answered. */
  hang: "hang",
  /** It is done, and the connection breaks before the answer. */
  lost: "lost",
} as const satisfies Record<string, Fault>;
