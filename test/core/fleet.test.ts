import { describe, expect, it } from "vitest";
import {
  channels,
  factoryIdPattern,
  factoryStatuses,
  groupOf,
  heartbeatEveryMs,
  type Liveness,
  leaseMs,
  liveness,
  livenesses,
  showModels,
  staleAfterMs,
  streamOf,
} from "#core/fleet.ts";

const now = 1_900_000_000_000;
const seen = (status: (typeof factoryStatuses)[number], age: number | null) =>
  liveness({ status, lastHeartbeatAt: age === null ? null : now - age }, now);

describe("liveness", () => {
  it.each<[(typeof factoryStatuses)[number], number | null, Liveness]>([
    ["active", 0, "online"],
    ["active", 30_000, "online"],
    ["active", 45_000, "online"],
    ["active", 45_001, "stale"],
    ["active", 120_000, "stale"],
    ["active", 120_001, "offline"],
    ["active", null, "offline"],
    // A factory's first heartbeat, or one that HQ's clock was set back behind.
    ["active", -5000, "online"],
    ["draining", 0, "draining"],
    ["draining", 45_001, "draining"],
    ["draining", 120_000, "draining"],
    ["draining", 120_001, "offline"],
    ["draining", null, "offline"],
    ["paused", 0, "paused"],
    ["paused", 120_000, "paused"],
    ["paused", 120_001, "offline"],
    ["paused", null, "offline"],
    ["pending", 0, "pending"],
    ["pending", 120_001, "pending"],
    ["pending", null, "pending"],
    ["retired", 0, "retired"],
    ["retired", 120_001, "retired"],
    ["retired", null, "retired"],
  ])("%s, last seen %s ms ago: %s", (status, age, expected) => expect(seen(status, age)).toBe(expected));

  it("knows a word for every status at every age, and uses every word", () => {
    const ages = [0, staleAfterMs, staleAfterMs + 1, leaseMs, leaseMs + 1, null];
    const words = factoryStatuses.flatMap((status) => ages.map((age) => seen(status, age)));
    expect(new Set(words)).toEqual(new Set(livenesses));
  });

  it("bears one missed heartbeat before it is stale, and several before the lease is over", () => {
    expect(staleAfterMs).toBeGreaterThan(heartbeatEveryMs);
    expect(staleAfterMs).toBeLessThan(2 * heartbeatEveryMs);
    expect(leaseMs).toBe(4 * heartbeatEveryMs);
  });
});

describe("models", () => {
  const facts = { provider: "zai", model: "glm-5.3" };
  it.each([
    ["an older factory's", {}, "zai/glm-5.3"],
    ["one for all", { models: { coder: "zai/glm-5.3", general: "zai/glm-5.3" } }, "zai/glm-5.3"],
    ["one VP alone", { models: { general: "zai/glm-5.3" } }, "zai/glm-5.3"],
    [
      "each its own",
      { models: { general: "openai/gpt-5-mini", coder: "zai/glm-5.3" } },
      "VP Coder: zai/glm-5.3, VP General: openai/gpt-5-mini",
    ],
  ])("are read as people do: %s", (_, more, shown) => {
    expect(showModels({ ...facts, ...more })).toBe(shown);
  });
});

describe("factory ids", () => {
  it.each(["homer", "desk-1", "a1", "x".repeat(40), "hq-2", "hqs", "h-q"])("%j is one", (id) => expect(id).toMatch(factoryIdPattern));

  it.each(["", "a", "Homer", "1desk", "-desk", "desk-", "desk_1", "desk 1", "désk", "x".repeat(41), "desk\n", "a:b", "../a", "hq"])(
    "%j is none",
    (id) => expect(id).not.toMatch(factoryIdPattern),
  );
});

describe("streams", () => {
  it("have a name and a reader each", () => {
    expect(channels.map((channel) => [streamOf("homer", channel), groupOf[channel]])).toEqual([
      ["uac:f:homer:in", "f"],
      ["uac:f:homer:ctl", "f"],
      ["uac:f:homer:out", "hq"],
      ["uac:f:homer:ev", "hq"],
    ]);
  });
});
