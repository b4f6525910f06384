/** `npm run ledger -- export`: headquarters' ledger as JSON lines, under the names that OpenTelemetry gives to calls of models. */
import type { Client, InValue } from "@libsql/client";
import { entriesAt, type Kept } from "./hq.ts";

export interface Wanted {
  /** By when headquarters learnt of them, milliseconds since 1970: from the first, up to before the second. */
  since?: number | undefined;
  until?: number | undefined;
  task?: string | undefined;
  factory?: string | undefined;
}

/** OpenTelemetry's own names for providers, where they are not ours. */
const providerNames: Readonly<Record<string, string>> = { gemini: "gcp.gemini" };

export async function* exported(hq: Client, { since, until, task, factory }: Wanted): AsyncGenerator<string> {
  const given: [string, InValue | undefined][] = [
    ["recorded_at >= ?", since],
    ["recorded_at < ?", until],
    ["task = ?", task],
    ["factory = ?", factory],
  ];
  const conditions = given.filter((one): one is [string, InValue] => one[1] !== undefined);
  const where = ["true", ...conditions.map(([sql]) => sql)].join(" and ");
  for await (const entry of entriesAt(
    hq,
    where,
    conditions.map(([, value]) => value),
  ))
    yield JSON.stringify(attributesOf(entry));
}

/** Input is all of it here: what the cache held and took is counted again apart. What OpenTelemetry has no name for is `uac.…`. */
export function attributesOf(entry: Kept): Record<string, unknown> {
  const { usage } = entry;
  const written = usage.write5m + usage.write1h;
  return {
    timestamp: new Date(entry.at).toISOString(),
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": providerNames[entry.provider] ?? entry.provider,
    "gen_ai.request.model": entry.requestedModel,
    "gen_ai.response.model": entry.model,
    ...(entry.messageId !== null && { "gen_ai.response.id": entry.messageId }),
    "gen_ai.usage.input_tokens": usage.uncachedIn + usage.cacheRead + written,
    "gen_ai.usage.cache_read.input_tokens": usage.cacheRead,
    "gen_ai.usage.cache_creation.input_tokens": written,
    "gen_ai.usage.output_tokens": usage.output,
    "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
    "gen_ai.agent.name": entry.persona,
    ...(entry.outcome !== "ok" && { "error.type": entry.outcome }),
    "uac.id": entry.id,
    "uac.task": entry.task,
    "uac.epoch": entry.epoch,
    "uac.step": entry.step,
    "uac.try": entry.try,
    "uac.factory": entry.factory,
    "uac.seat": entry.seat,
    "uac.engine": entry.engine,
    "uac.request.id": entry.requestId,
    "uac.duration_ms": entry.durationMs,
    "uac.usage.source": entry.source,
    "uac.usage.cache_creation_1h.input_tokens": usage.write1h,
    "uac.prices": entry.prices,
    "uac.cost.list_nano_usd": entry.cost,
    "uac.billing": entry.billing,
    "uac.cost.billed_nano_usd": entry.billed,
    "uac.recorded_at": new Date(entry.recordedAt).toISOString(),
  };
}
