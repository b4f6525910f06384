/** Where a model is and how it is asked there: all that an adapter needs to know, resolved from an environment. */
import type { BillingMode } from "./ledger.ts";
import type { Wire } from "./wire-usage.ts";

export const keyKinds = ["x-api-key", "bearer"] as const;

export interface Endpoint {
  /** A name of the table of presets: it says what the provider can do and what is odd about it. */
  provider: string;
  wire: Wire;
  model: string;
  /** Without the path of a call: `/v1/messages` (Anthropic), `/chat/completions` or `/responses` (OpenAI) is added. */
  baseUrl: string;
  /** A secret, and the header that it goes in. Null: none is asked for. */
  key: { kind: (typeof keyKinds)[number]; value: string } | null;
  billing: BillingMode;
}
