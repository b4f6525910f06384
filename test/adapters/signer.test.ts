import { createPrivateKey, sign } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import { type Envelope, kinds, maxEntryBytes } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { defaultLimits } from "#core/limits.ts";
import { opsTokenType } from "#core/ops-token.ts";
import {
  badEnvelope,
  badToken,
  claim,
  envelopeHeader,
  envelopeJws,
  forge,
  forgeHmac,
  homer,
  homerKeys,
  hq,
  hqKeys,
  nowMs,
  nowS,
  openAs,
  order,
  refused,
  signingInput,
  stranger,
  strangerKeys,
  tokenJwt,
  trusted,
  verifier,
} from "./signed.ts";

describe("envelopes", () => {
  it("come out as they went in", async () => {
    await expect(openAs(envelopeJws)).resolves.toEqual(order);
    await expect(verifier.open(await homer.seal(claim), "hq", trusted, nowMs)).resolves.toEqual(claim);
  });

  it("carry exactly alg, typ and kid", () => {
    const header = Buffer.from(envelopeJws.split(".")[0] ?? "", "base64url").toString();
    expect(header).toBe(JSON.stringify(envelopeHeader));
  });

  it("are accepted from the forger's hand when nothing is wrong with them: the refusals below have their reasons", async () => {
    await expect(openAs(forge(hqKeys.privateJwk, envelopeHeader, order))).resolves.toEqual(order);
  });

  it.each([
    ["an empty entry", ""],
    ["plain JSON", JSON.stringify(order)],
    ["no signature", `${signingInput(envelopeHeader, order)}.`],
    ["two parts", signingInput(envelopeHeader, order)],
    ["four parts", `${envelopeJws}.AAAA`],
    ["a JWS in JSON serialization", JSON.stringify({ payload: "e30", signatures: [] })],
  ])("refuses what is not signed: %s (row 9)", (_, entry) => badEnvelope(entry, /not a compact JWS/));

  it("refuses alg none, HS256 with the public key, and the other name of the algorithm (row 10)", async () => {
    for (const alg of ["none", "None", "EdDSA", "ES256"]) {
      await badEnvelope(forge(hqKeys.privateJwk, { ...envelopeHeader, alg }, order), /not signed with Ed25519/);
    }
    await badEnvelope(forgeHmac(hq.publicKey.x, { ...envelopeHeader, alg: "HS256" }, order), /not signed with Ed25519/);
    await badEnvelope(forgeHmac(hq.publicKey.x, envelopeHeader, order), /does not verify/);
  });

  it.each([["lisa-desk"], ["hq"], [["homer"]], [["homer", "hq"]], ["homer\n"], [null], [undefined]])(
    "refuses the audience %j (row 11)",
    (aud) => badEnvelope(forge(hqKeys.privateJwk, envelopeHeader, { ...order, aud })),
  );

  it("refuses no kid, an unknown kid and another's kid (row 12)", async () => {
    const { kid, ...without } = envelopeHeader;
    await badEnvelope(forge(hqKeys.privateJwk, without, order), /names no key/);
    await badEnvelope(forge(hqKeys.privateJwk, { ...envelopeHeader, kid: "" }, order), /names no key/);
    await badEnvelope(forge(hqKeys.privateJwk, { ...envelopeHeader, kid: [kid] }, order), /names no key/);
    await badEnvelope(await stranger.seal(order), /not trusted/);
    await badEnvelope(forge(strangerKeys.privateJwk, envelopeHeader, order), /does not verify/);
    await badEnvelope(forge(hqKeys.privateJwk, { ...envelopeHeader, kid: homer.kid }, order), /does not verify/);
  });

  it.each([
    ["jwk", { jwk: stranger.publicKey }],
    ["jku", { jku: "https://keys.example/jwks.json" }],
    ["x5u", { x5u: "https://keys.example/cert" }],
    ["x5c", { x5c: ["AAAA"] }],
    ["crit", { crit: ["b64"], b64: true }],
    ["b64", { b64: false }],
    ["cty", { cty: "json" }],
    ["zip", { zip: "DEF" }],
  ])("refuses the header parameter %s (row 12)", async (_, more) => {
    await badEnvelope(forge(hqKeys.privateJwk, { ...envelopeHeader, ...more }, order), /header parameters/);
    await badEnvelope(forge(strangerKeys.privateJwk, { ...envelopeHeader, kid: stranger.kid, ...more }, order), /header parameters/);
  });

  it("refuses another type, also a token in an envelope's place (row 12)", async () => {
    for (const typ of [opsTokenType, "JWT", "uac-env+JWS", "application/uac-env+jws", ""]) {
      await badEnvelope(forge(hqKeys.privateJwk, { ...envelopeHeader, typ }, order), /not of type/);
    }
    await badEnvelope(tokenJwt, /not of type/);
    await badToken(envelopeJws, /not of type/);
  });

  it("refuses keys that it does not know, wherever they stand (row 13)", async () => {
    await badEnvelope(forge(hqKeys.privateJwk, envelopeHeader, { ...order, approved: true }), /approved/);
    await badEnvelope(forge(hqKeys.privateJwk, envelopeHeader, { ...order, body: { ...order.body, approved: true } }), /approved/);
    await badEnvelope(
      forge(hqKeys.privateJwk, envelopeHeader, { ...order, body: { ...order.body, limits: { ...defaultLimits, free: 1 } } }),
      /free/,
    );
    const smuggled = JSON.stringify(order).replace("{", '{"__proto__":{"approved":true},');
    await badEnvelope(forge(hqKeys.privateJwk, envelopeHeader, smuggled));
  });

  it.each(["\n", "\r\n", " ", "=", "==", "\0", "\u2028", "."])("refuses a true envelope with %j behind it (row 14)", async (tail) => {
    await badEnvelope(envelopeJws + tail);
    await badEnvelope(tail + envelopeJws);
  });

  it("refuses the other spellings of the same bytes (row 14)", async () => {
    // 64 bytes are 86 characters, of whose last only 2 bits count: 16 characters mean the same.
    const spellings = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
      .map((last) => envelopeJws.slice(0, -1) + last)
      .filter((jws) => jws !== envelopeJws);
    const same = (a: string, b: string) =>
      Buffer.from(a.split(".")[2] ?? "", "base64url").equals(Buffer.from(b.split(".")[2] ?? "", "base64url"));
    expect(spellings.filter((jws) => same(jws, envelopeJws))).toHaveLength(15);
    for (const jws of spellings) await badEnvelope(jws);
  });

  it("bears a minute of skew and no more (row 15)", async () => {
    const born = (iat: number, exp: number) => openAs(forge(hqKeys.privateJwk, envelopeHeader, { ...order, iat, exp }));
    await expect(born(nowS - 100, nowS - 59)).resolves.toBeTruthy();
    await refused(born(nowS - 100, nowS - 60), "bad_envelope", /expired/);
    await expect(born(nowS + 60, nowS + 100)).resolves.toBeTruthy();
    await refused(born(nowS + 61, nowS + 100), "bad_envelope", /future/);
    await refused(openAs(envelopeJws, nowMs + (kinds.order.lifeS + 60) * 1000), "bad_envelope", /expired/);
  });

  it("refuses duplicate keys, in header and payload", async () => {
    const header = JSON.stringify(envelopeHeader).replace("{", '{"alg":"none",');
    await badEnvelope(forge(hqKeys.privateJwk, header, order), /duplicate keys/);
    const payload = JSON.stringify(order).replace('"aud":"homer"', '"aud":"lisa","aud":"homer"');
    await badEnvelope(forge(hqKeys.privateJwk, envelopeHeader, payload), /duplicate keys/);
    const deep = JSON.stringify(order).replace('"epoch":1', '"epoch":9,"epoch":1');
    await badEnvelope(forge(hqKeys.privateJwk, envelopeHeader, deep), /duplicate keys/);
  });

  it("refuses JSON in another spelling, and what is no JSON", async () => {
    await badEnvelope(forge(hqKeys.privateJwk, envelopeHeader, JSON.stringify(order, null, 1)), /canonical/);
    await badEnvelope(forge(hqKeys.privateJwk, envelopeHeader, `\ufeff${JSON.stringify(order)}`), /JSON/);
    await badEnvelope(forge(hqKeys.privateJwk, envelopeHeader, JSON.stringify(order).replace('"seq":1', '"seq":1.0')), /canonical/);
    for (const payload of ["", "{", "[]", "null", "7", "[".repeat(50_000)])
      await badEnvelope(forge(hqKeys.privateJwk, envelopeHeader, payload));
    for (const header of ["", "{", "[]", "null", "7", '"Ed25519"']) await badEnvelope(forge(hqKeys.privateJwk, header, order));
  });

  it("refuses what is not UTF-8", async () => {
    const input = `${signingInput(envelopeHeader, "").slice(0, -1)}.${Buffer.from([0x22, 0xff, 0x22]).toString("base64url")}`;
    const key = createPrivateKey({ key: JSON.parse(hqKeys.privateJwk), format: "jwk" });
    await badEnvelope(`${input}.${sign(null, Buffer.from(input), key).toString("base64url")}`, /UTF-8/);
  });

  it("refuses what is too large before it looks at it, and does not seal it either", async () => {
    const asked = vi.fn(trusted);
    const large = `${envelopeJws}${"A".repeat(maxEntryBytes)}`;
    await refused(verifier.open(large, "homer", asked, nowMs), "bad_envelope", /larger than/);
    expect(asked).not.toHaveBeenCalled();
    const receipt = { usages: [], log: "x".repeat(16_000), summary: "", reason: "", persona: "Lisa", code: "finished" };
    const run = { command: "é".repeat(2000), exitCode: 0, durationMs: 1 };
    const measured = {
      ...{
        verdict: "verified",
        why: "",
        base: null,
        head: null,
        branch: null,
        patch: null,
        patchSha256: null,
        testsBefore: null,
        testsAfter: null,
      },
      ...{
        diffstat: { files: 0, insertions: 0, deletions: 0, text: "" },
        commands: Array(400).fill(run),
        steps: 1,
        wallMs: 1,
        limitsHit: [],
        approvals: [],
      },
    } as const;
    const body = {
      task: "task_0001",
      epoch: 1,
      outcome: "succeeded",
      receipt: { ...measured },
      ...receipt,
    } as unknown as Envelope<"result">["body"];
    await refused(homer.seal({ ...claim, kind: "result", body } as Envelope<"result">), "too_large", /bytes/);
  });

  it("refuses a factory that signs in another's name, or what only HQ may send", async () => {
    const homerHeader = { ...envelopeHeader, kid: homer.kid };
    const open = (payload: unknown) => verifier.open(forge(homerKeys.privateJwk, homerHeader, payload), "hq", trusted, nowMs);
    await refused(open({ ...claim, iss: "lisa-desk" }), "bad_envelope", /signed by homer/);
    await refused(open({ ...claim, iss: "hq" }), "bad_envelope", /signed by homer/);
    await refused(open({ ...order, iss: "homer", aud: "hq" }), "bad_envelope", /may not send/);
  });

  it("parses nothing that is not verified", async () => {
    const parse = vi.spyOn(JSON, "parse");
    await badEnvelope(forge(strangerKeys.privateJwk, envelopeHeader, order), /does not verify/);
    expect(parse.mock.calls.map(([text]) => text).filter((text) => text.includes("env_0001"))).toEqual([]);
    parse.mockRestore();
  });

  it("does not take a key store for its word, nor its failure for the message's", async () => {
    const wrong = async () => ({ owner: "hq", key: stranger.publicKey });
    await refused(
      verifier.open(forge(strangerKeys.privateJwk, envelopeHeader, order), "homer", wrong, nowMs),
      "bad_envelope",
      /another key/,
    );
    const away = async () => {
      throw new UacError("store_unavailable", "away");
    };
    await expect(verifier.open(envelopeJws, "homer", away, nowMs)).rejects.toMatchObject({ code: "store_unavailable" });
  });

  it("keeps a sender's long or dirty key names out of the reason", async () => {
    const nasty = `\u001b[2J${"x".repeat(5000)}`;
    const error = await openAs(forge(hqKeys.privateJwk, envelopeHeader, { ...order, [nasty]: 1 })).catch((thrown: Error) => thrown);
    expect((error as Error).message).not.toContain("\u001b");
    expect((error as Error).message.length).toBeLessThan(400);
  });

  it("are not sealed when no reader would accept them", async () => {
    const bad = { ...order, body: { ...order.body, title: "x".repeat(201) } };
    await refused(hq.seal(bad), "bad_input", /title/);
    await refused(homer.seal({ ...order, iss: "homer", aud: "hq" }), "bad_input", /may not send/);
  });
});
