/** What the gateway serves: the endpoints of the three wires, and beside them what engines ask for that costs nothing. */
import type { BillingMode } from "#core/ledger.ts";
import type { Wire } from "#core/wire-usage.ts";

/** A provider as the gateway reaches it. */
export interface Upstream {
  provider: string;
  wire: Wire;
  /** As its SDK wants it: OpenAI's ends in a version, Anthropic's does not. */
  baseUrl: string;
  /** Null: it asks for none. */
  key: { kind: "x-api-key" | "bearer"; value: string } | null;
  billing: BillingMode;
}

export interface Route {
  provider: string;
  /** The words in which to refuse, and what is metered. */
  wire: Wire;
  /** Without the provider; with the query. */
  path: string;
  /** True for a provider that speaks `wire`, if this is an address of the gateway's at all. */
  fits(wire: Wire): boolean;
}

const served: readonly { method: string; path: RegExp; wire: Wire | null }[] = [
  { method: "POST", path: /^\/v1\/messages$/, wire: "anthropic" },
  { method: "POST", path: /^\/v1\/messages\/count_tokens$/, wire: "anthropic" },
  { method: "POST", path: /^\/v1\/chat\/completions$/, wire: "chat" },
  { method: "POST", path: /^\/v1\/responses$/, wire: "responses" },
  // Whatever the provider speaks.
  { method: "GET", path: /^\/v1\/models(\/(?!\.\.?$)[\w.:@-]+)?$/, wire: null },
];

/** `/<provider>/v1/…`. What is served nowhere fits no wire. */
export function routeOf(method: string, target: string): Route {
  const [, provider = "", path = "/"] = /^\/([a-z0-9-]{1,64})(\/.*)$/.exec(target) ?? [];
  const [bare = ""] = path.split("?");
  const found = served.find((one) => one.method === method && one.path.test(bare));
  const wire = found?.wire ?? "anthropic";
  return {
    provider,
    wire,
    path,
    fits: (spoken) => found !== undefined && (found.wire === null || isAnthropic(found.wire) === isAnthropic(spoken)),
  };
}

/** One address serves both of OpenAI's wires. */
function isAnthropic(wire: Wire) {
  return wire === "anthropic";
}

/** Where a route leads at a provider: OpenAI's base URLs hold the version already. */
export function targetOf({ path }: Route, { wire, baseUrl }: Upstream): string {
  return `${baseUrl.replace(/\/+$/, "")}${isAnthropic(wire) ? path : path.replace(/^\/v1/, "")}`;
}
