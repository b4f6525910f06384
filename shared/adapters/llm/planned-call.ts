/** What a request may use at most, read from its body as it goes to the provider. */
import type { Wire } from "#core/wire-usage.ts";
import type { PlannedCall } from "#ports/metering.ts";
import { tokensFor } from "./usage-tap.ts";

/** Where a request sets no limit: what an answer hardly ever reaches. */
const unsaidMaxOutput = 16_384;
const mostTokens = 50_000_000;

const limits: Readonly<Record<Wire, readonly string[]>> = {
  anthropic: ["max_tokens"],
  chat: ["max_completion_tokens", "max_tokens"],
  responses: ["max_output_tokens"],
};

type Plan = Pick<PlannedCall, "model" | "inputTokens" | "maxOutput">;

/** What can't be read is planned by its length alone: the provider will refuse it. `unmetered`: why nobody would see what it used; null: somebody will. */
export function planOf(wire: Wire, body: Uint8Array): { plan: Plan; unmetered: string | null } {
  const request = parse(body);
  const images = imagesIn(request);
  const imageBytes = images.reduce((sum, { length }) => sum + length, 0);
  const limit = limits[wire].map((name) => request[name]).find((value) => typeof value === "number" && value >= 0);
  // So many answers at once, each as long.
  const answers = wire === "chat" && typeof request.n === "number" && request.n > 1 ? request.n : 1;
  const plan = {
    model: typeof request.model === "string" && request.model ? request.model.slice(0, 128) : "unknown",
    inputTokens: Math.min(mostTokens, tokensFor(body.length - imageBytes, images.length)),
    maxOutput: Math.min(mostTokens, Math.ceil(((limit as number | undefined) ?? unsaidMaxOutput) * answers)),
  };
  const isLater = wire === "responses" && request.background === true;
  return { plan, unmetered: isLater ? "A response in the background ends where no meter sees it: leave `background` out." : null };
}

/** Base64 text of images, wherever a request holds them: as `data` beside an image's media type, or in a data URL. */
function imagesIn(value: unknown): string[] {
  if (typeof value === "string") return value.startsWith("data:image/") ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  const { media_type: type, data } = value as Record<string, unknown>;
  if (typeof type === "string" && type.startsWith("image/") && typeof data === "string") return [data];
  return Object.values(value).flatMap(imagesIn);
}

function parse(body: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
