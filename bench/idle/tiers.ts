/**
 * What the free tiers of the three services give, as their own pages said when they were last looked at. `bench -- idle` says
 * how much of each a corporation that has nothing to do uses.
 */
export interface Allowance {
  service: string;
  what: string;
  free: number;
  per: "day" | "month" | "in all";
  source: string;
  /** When that page said so. */
  seen: string;
}

export const allowances = {
  commands: {
    service: "Upstash Redis",
    what: "commands",
    free: 500_000,
    per: "month",
    source: "https://upstash.com/pricing/redis",
    seen: "2026-11-09",
  },
  requests: {
    service: "Cloudflare Workers",
    what: "requests",
    free: 100_000,
    per: "day",
    source: "https://developers.cloudflare.com/workers/platform/limits/",
    seen: "2026-11",
  },
  rowsRead: {
    service: "Turso",
    what: "rows read",
    free: 500_000_000,
    per: "month",
    source: "https://turso.tech/pricing",
    seen: "2026-06-12",
  },
  rowsWritten: {
    service: "Turso",
    what: "rows written",
    free: 10_000_000,
    per: "month",
    source: "https://turso.tech/pricing",
    seen: "2026-06-12",
  },
  storage: {
    service: "Turso",
    what: "bytes stored",
    free: 5_000_000_000,
    per: "in all",
    source: "https://turso.tech/pricing",
    seen: "2026-06-12",
  },
} as const satisfies Record<string, Allowance>;

/** Upstash beyond its free tier (pay as you go), dollars for 100,000 commands. Same page. */
export const dollarsPer100kCommands = 0.2;
