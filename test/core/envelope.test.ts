import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capabilityNames } from "#core/capability.ts";
import { type Body, type Kind, kinds, parseEnvelope, wireVersion } from "#core/envelope.ts";
import { defaultLimits } from "#core/limits.ts";
import { quietBeat } from "../support/heartbeats.ts";
import { ledgerEntry } from "../support/ledger.ts";

const nowS = 1_900_000_000;
const task = { task: "task_0001", epoch: 1 };
const spent = ledgerEntry({ factory: "homer" });
const facts = {
  ...{
    name: "Homer",
    role: "branch" as const,
    personas: { primary: "Homer", coder: "Lisa", general: "Bart" },
    provider: "anthropic",
    model: "m",
  },
  capabilities: Object.fromEntries(capabilityNames.map((name) => [name, true])) as Body<"heartbeat">["facts"]["capabilities"],
  ...{ workspaces: ["shop"], slots: 1, version: "0.1.0", startedAt: 1 },
};

/** A good body of every kind. */
const bodies: { [K in Kind]: Body<K> } = {
  order: {
    ...task,
    kind: "coder",
    title: "t",
    instruction: "i",
    workspace: "shop",
    limits: defaultLimits,
    requireVerified: true,
    follow: null,
  },
  control: { id: "ctl_0001", seq: 1, do: "cancel", ...task, reason: "r" },
  result: {
    ...task,
    outcome: "failed",
    code: "step_limit",
    reason: "r",
    persona: "Lisa",
    summary: "",
    receipt: null,
    usages: [spent],
    log: "",
  },
  progress: { ...task, seq: 1, at: 1, kind: "started", persona: "Lisa", text: "begins" },
  usage: { usages: [spent] },
  reject: { entry: "1-0", reason: "unreadable" },
  claim: { ...task, order: "env_0001" },
  heartbeat: quietBeat(facts, {
    running: [{ ...task, step: 1, cost: 2, tokens: 0, paused: false, overBudget: null }],
    accepted: [task],
    reports: { first: 3, last: 9 },
    obeyed: ["ctl_0001"],
  }),
  doorbell: { reason: "result" },
};
const allKinds = Object.keys(kinds) as Kind[];
const fromHq: Kind[] = ["order", "control"];
const perMinute: Kind[] = ["claim", "heartbeat", "doorbell"];
const lifeOf = (kind: Kind) => (fromHq.includes(kind) ? 86_400 : perMinute.includes(kind) ? 60 : 30 * 86_400);

const envelope = (kind: Kind, change: Record<string, unknown> = {}) => ({
  ...{ v: wireVersion, id: "env_0001", iss: fromHq.includes(kind) ? "hq" : "homer", aud: fromHq.includes(kind) ? "homer" : "hq", kind },
  ...{ iat: nowS, exp: nowS + 60, seq: 0, corr: null, body: bodies[kind] },
  ...change,
});
const read = (payload: ReturnType<typeof envelope>, now = nowS) => parseEnvelope(payload, payload.aud, payload.iss, now);
const reason = (payload: unknown, self = "hq", signer = "homer", now = nowS) => {
  const parsed = parseEnvelope(payload, self, signer, now);
  return parsed.ok ? null : parsed.reason;
};

describe("every kind", () => {
  it("is written down here", () => expect(Object.keys(bodies).toSorted()).toEqual(allKinds.toSorted()));

  it.each(allKinds)("%s: is read as it was written", (kind) => {
    const payload = envelope(kind);
    expect(read(payload)).toEqual({ ok: true, envelope: payload });
  });

  it.each(allKinds)("%s: is refused from the wrong side", (kind) => {
    const [iss, aud] = fromHq.includes(kind) ? ["homer", "hq"] : ["hq", "homer"];
    expect(read(envelope(kind, { iss, aud }) as ReturnType<typeof envelope>)).toEqual({
      ok: false,
      reason: `is of a kind that ${iss} may not send: ${kind}`,
    });
  });

  it.each(allKinds)("%s: lives as long as its way takes, and no longer", (kind) => {
    const life = lifeOf(kind);
    expect(read(envelope(kind, { exp: nowS + life })).ok).toBe(true);
    expect(read(envelope(kind, { exp: nowS + life + 1 }))).toEqual({ ok: false, reason: `lives longer than a ${kind} may` });
  });

  it.each(allKinds)("%s: is refused with any key missing, in head or body", (kind) => {
    for (const key of Object.keys(envelope(kind))) {
      const { [key as "v"]: _, ...rest } = envelope(kind);
      expect(reason(rest, fromHq.includes(kind) ? "homer" : "hq", fromHq.includes(kind) ? "hq" : "homer"), key).toBeTruthy();
    }
    for (const key of Object.keys(bodies[kind])) {
      const { [key as never]: _, ...body } = bodies[kind] as Record<string, unknown>;
      expect(read(envelope(kind, { body })), key).toEqual({ ok: false, reason: expect.stringContaining(`is not a ${kind}`) });
    }
  });

  it.each(allKinds)("%s: is refused with a key more, in head or body (row 13)", (kind) => {
    const self = envelope(kind).aud;
    expect(reason({ ...envelope(kind), approved: true }, self, envelope(kind).iss)).toMatch(/is not an envelope.*approved/s);
    expect(read(envelope(kind, { body: { ...bodies[kind], approved: true } }))).toEqual({
      ok: false,
      reason: expect.stringMatching(/is not a .*approved/s),
    });
  });

  it.each(allKinds)("%s: is refused with the body of any other kind", (kind) => {
    for (const other of allKinds) {
      if (other !== kind) expect(read(envelope(kind, { body: bodies[other] })).ok, other).toBe(false);
    }
  });
});

describe("the head", () => {
  it.each([
    ["another version", { v: wireVersion - 1 }],
    ["no version", { v: null }],
    ["a version in text", { v: "1" }],
    ["an id that is too short", { id: "abc" }],
    ["an id that is too long", { id: "x".repeat(65) }],
    ["an id that is a path", { id: "../../x" }],
    ["an unknown kind", { kind: "approve" }],
    ["an inherited kind", { kind: "toString" }],
    ["time in halves", { iat: nowS + 0.5 }],
    ["no time", { exp: Number.NaN }],
    ["endless life", { exp: Number.POSITIVE_INFINITY }],
    ["a negative seq", { seq: -1 }],
    ["a corr that is no id", { corr: "" }],
    ["an issuer with a capital", { iss: "Homer" }],
    ["several audiences", { aud: ["hq"] }],
    ["an audience with a newline", { aud: "hq\n" }],
  ])("with %s is refused", (_, change) => expect(reason(envelope("claim", change))).toMatch(/^is not an envelope/));

  it("must name the one whose key signed it", () => {
    expect(reason(envelope("claim"), "hq", "lisa")).toBe("says it is from homer, signed by lisa");
    expect(reason(envelope("order", { iss: "hq", aud: "homer" }), "homer", "lisa")).toBe("says it is from hq, signed by lisa");
  });

  it("must name the one who reads it (row 11)", () => {
    expect(reason(envelope("order"), "lisa", "hq")).toBe("is for homer, not for lisa");
    expect(reason(envelope("claim", { aud: "lisa" }))).toBe("is for lisa, not for hq");
  });

  it("of a factory that calls itself hq is no way around: HQ's kinds come from HQ's key", () => {
    expect(reason(envelope("order", { aud: "lisa" }), "lisa", "homer")).toMatch(/signed by homer/);
  });
});

describe("time, with a minute of skew (row 15)", () => {
  const at = (iat: number, exp: number) => reason(envelope("claim", { iat: nowS + iat, exp: nowS + exp }));

  it.each([
    [-60, 0, null],
    [-119, -59, null],
    [-120, -60, "has expired"],
    [-86_400, -86_340, "has expired"],
    [60, 120, null],
    [61, 121, "is from the future"],
    [86_400, 86_460, "is from the future"],
  ])("born %i s from now, over %i s from now: %s", (iat, exp, expected) => expect(at(iat, exp)).toBe(expected));
});

describe("bodies", () => {
  it.each<[string, Kind, Record<string, unknown>]>([
    ["epoch 0", "claim", { epoch: 0 }],
    ["epoch in halves", "claim", { epoch: 1.5 }],
    ["a task id with a space", "claim", { task: "task 1" }],
    ["a limit of nothing", "order", { limits: { ...defaultLimits, usd: 0 } }],
    ["a limit that is no number", "order", { limits: { ...defaultLimits, steps: Number.NaN } }],
    ["a kind of work that nobody does", "order", { kind: "hacker" }],
    ["a title beyond its space", "order", { title: "x".repeat(201) }],
    ["an instruction beyond its space", "order", { instruction: "x".repeat(20_001) }],
    ["verification in words", "order", { requireVerified: "no" }],
    ["an invented outcome", "result", { outcome: "verified" }],
    ["too many usages", "result", { usages: Array(401).fill(spent) }],
    ["a log beyond its space", "result", { log: "x".repeat(16_001) }],
    ["no usages", "usage", { usages: [] }],
    ["an invented step", "progress", { kind: "approved" }],
    ["no slots", "heartbeat", { facts: { ...facts, slots: 0 } }],
    ["a capability more", "heartbeat", { facts: { ...facts, capabilities: { ...facts.capabilities, root: true } } }],
    ["an invented role", "heartbeat", { facts: { ...facts, role: "owner" } }],
    ["a negative round trip", "heartbeat", { rttMs: -1 }],
    ["an invented bell", "doorbell", { reason: "fire" }],
  ])("with %s are refused (%s)", (_, kind, change) => {
    expect(read(envelope(kind, { body: { ...bodies[kind], ...change } }))).toEqual({
      ok: false,
      reason: expect.stringContaining(`is not a ${kind}`),
    });
  });
});

describe("anything", () => {
  const readers = fc.tuple(fc.constantFrom("hq", "homer", "lisa"), fc.constantFrom("hq", "homer", "lisa"));

  it("random is never accepted, and never throws", () =>
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.anything()), readers, (payload, [self, signer]) => {
        expect(parseEnvelope(payload, self, signer, nowS).ok).toBe(false);
      }),
      { numRuns: 500 },
    ));

  it("random in the place of one value is refused, unless that value may be so", () =>
    fc.assert(
      fc.property(fc.constantFrom(...allKinds), fc.nat(), fc.jsonValue(), (kind, at, value) => {
        const payload = envelope(kind);
        const key = Object.keys(payload)[at % Object.keys(payload).length] ?? "v";
        const result = parseEnvelope({ ...payload, [key]: value }, payload.aud, payload.iss, nowS);
        if (result.ok) expect(result.envelope).toEqual({ ...payload, [key]: value });
        if (!["id", "seq", "corr", "iat", "exp"].includes(key)) expect(result.ok && value !== payload[key as "v"]).toBe(false);
      }),
      { numRuns: 500 },
    ));

  it("random as a body is refused", () =>
    fc.assert(
      fc.property(fc.constantFrom(...allKinds), fc.jsonValue(), (kind, body) => {
        expect(read(envelope(kind, { body })).ok).toBe(false);
      }),
      { numRuns: 500 },
    ));

  it("with a __proto__ of its own is refused", () => {
    expect(reason(JSON.parse(JSON.stringify(envelope("claim")).replace("{", '{"__proto__":{"approved":true},')))).toBeTruthy();
  });
});
