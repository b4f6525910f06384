import { describe, expect, it } from "vitest";
import { fingerprint, hashSecret } from "#adapters/signer/digest.ts";
import { joseSigner } from "#adapters/signer/jose.ts";
import type { UacError } from "#core/errors.ts";
import type { PublicKey } from "#core/hq-api.ts";
import { defaultLimits } from "#core/limits.ts";
import type { OpsToken } from "#core/ops-token.ts";
import {
  badToken,
  envelopeJws,
  forge,
  forgeHmac,
  homer,
  homerKeys,
  hq,
  hqKeys,
  nowMs,
  nowS,
  order,
  readAs,
  refused,
  signingInput,
  stranger,
  token,
  tokenHeader,
  tokenJwt,
  verifier,
} from "./signed.ts";

describe("Ops Tokens", () => {
  it("come out as they went in", async () => {
    await expect(readAs(tokenJwt)).resolves.toEqual(token);
    await expect(readAs(forge(hqKeys.privateJwk, tokenHeader, token))).resolves.toEqual(token);
  });

  it("of one factory are nothing to another, and say which task they are for (row 24)", async () => {
    await refused(verifier.readToken(tokenJwt, "lisa-desk", homer.kid, hq.publicKey, nowMs), "unauthenticated", /another factory/);
    expect((await readAs(tokenJwt)).tsk).toBe("task_0001");
  });

  it("are nothing without the key that they are bound to (row 25)", async () => {
    await refused(verifier.readToken(tokenJwt, "homer", stranger.kid, hq.publicKey, nowMs), "unauthenticated", /another key/);
  });

  it("are HQ's alone to mint", async () => {
    await badToken(await homer.mint(token), /another key/);
    await badToken(forge(homerKeys.privateJwk, tokenHeader, token), /does not verify/);
    await badToken(forgeHmac(hq.publicKey.x, { ...tokenHeader, alg: "HS256" }, token), /Ed25519/);
    await badToken(forge(hqKeys.privateJwk, { ...tokenHeader, alg: "none" }, token), /Ed25519/);
    await badToken(`${signingInput({ ...tokenHeader, alg: "none" }, token)}.`, /compact/);
    await badToken(forge(hqKeys.privateJwk, { ...tokenHeader, jwk: hq.publicKey }, token), /header parameters/);
  });

  it("live for a quarter of an hour, with a minute of skew", async () => {
    await expect(readAs(tokenJwt, nowMs + 959_000)).resolves.toBeTruthy();
    await refused(readAs(tokenJwt, nowMs + 960_000), "unauthenticated", /expired/);
    await expect(readAs(tokenJwt, nowMs - 60_000)).resolves.toBeTruthy();
    await refused(readAs(tokenJwt, nowMs - 61_000), "unauthenticated", /future/);
    await badToken(forge(hqKeys.privateJwk, tokenHeader, { ...token, nbf: nowS + 61 }), /future/);
    await badToken(forge(hqKeys.privateJwk, tokenHeader, { ...token, exp: nowS + 901 }), /longer than 15/);
  });

  it.each([
    ["an unknown key", { approved: true }],
    ["an array for aud", { aud: ["homer"] }],
    ["an unknown action", { act: ["read", "sudo"] }],
    ["another issuer", { iss: "homer" }],
    ["no binding", { cnf: {} }],
    ["two bindings", { cnf: { jkt: homer.kid, jwk: hq.publicKey } }],
    ["no limit", { lim: { ...defaultLimits, usd: 0 } }],
    ["a time in text", { exp: `${nowS + 900}` }],
    ["a time without end", { exp: null }],
  ])("with %s are refused, and not minted (rows 11, 13, 41)", async (_, more) => {
    await badToken(forge(hqKeys.privateJwk, tokenHeader, { ...token, ...more }), /not in the form/);
    await refused(hq.mint({ ...token, ...more } as unknown as OpsToken), "bad_input");
  });

  it("with a duplicate key are refused", () =>
    badToken(forge(hqKeys.privateJwk, tokenHeader, JSON.stringify(token).replace('"gen":0', '"gen":0,"gen":0')), /duplicate/));
});

describe("proofs of possession", () => {
  it("hold for their key and their text alone", async () => {
    const proof = await homer.prove("challenge");
    await expect(verifier.proves(proof, "challenge", homer.publicKey)).resolves.toBe(true);
    await expect(verifier.proves(proof, "challenge ", homer.publicKey)).resolves.toBe(false);
    await expect(verifier.proves(proof, "challenge", stranger.publicKey)).resolves.toBe(false);
    await expect(verifier.proves("", "challenge", homer.publicKey)).resolves.toBe(false);
    await expect(verifier.proves(envelopeJws, JSON.stringify(order), hq.publicKey)).resolves.toBe(false);
  });
});

describe("keys", () => {
  it("are known by their thumbprint (RFC 8037, appendix A.3)", async () => {
    const key: PublicKey = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };
    await expect(verifier.thumbprint(key)).resolves.toBe("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    expect(fingerprint("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")).toBe("90fa-cafe-a9b1-5566-9854");
    expect(hq.kid).toBe(await verifier.thumbprint(hq.publicKey));
  });

  it("sign alike after a restart, and never show their private part", async () => {
    const again = await joseSigner(hqKeys.privateJwk);
    expect(await again.seal(order)).toBe(envelopeJws);
    const { d } = JSON.parse(hqKeys.privateJwk);
    expect(JSON.stringify(again)).not.toContain(d);
    expect(again.publicKey).toEqual({ kty: "OKP", crv: "Ed25519", x: expect.any(String) });
  });

  it.each([
    ["nothing", ""],
    ["no JSON", "d-SECRET-not-json"],
    ["a public key", JSON.stringify(hq.publicKey)],
    ["another curve", JSON.stringify({ ...JSON.parse(hqKeys.privateJwk), crv: "X25519" })],
    ["halves of two keys", JSON.stringify({ ...JSON.parse(hqKeys.privateJwk), x: homer.publicKey.x })],
  ])("that are %s are refused without being repeated", async (_, text) => {
    const error = await joseSigner(text).catch((thrown: UacError) => thrown);
    expect(error).toMatchObject({ code: "bad_config" });
    expect(error).not.toHaveProperty("cause");
    const { d } = JSON.parse(hqKeys.privateJwk);
    expect(`${(error as UacError).stack}`).not.toMatch(new RegExp(`${d}|SECRET`));
  });
});

describe("hashSecret", () => {
  it("is SHA-256 in base64url (FIPS 180-2, “abc”)", async () => {
    await expect(hashSecret("abc")).resolves.toBe("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
  });
});
