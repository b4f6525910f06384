/** Keys, messages, and the forger: what the signer's tests share. */
import { createHmac, createPrivateKey, sign } from "node:crypto";
import { expect } from "vitest";
import { joseSigner, joseVerifier, newKeyPair } from "#adapters/signer/jose.ts";
import { type Envelope, envelopeType, kinds, wireVersion } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { defaultLimits } from "#core/limits.ts";
import { type OpsToken, opsTokenType } from "#core/ops-token.ts";

export const nowMs = 1_900_000_000_000;
export const nowS = nowMs / 1000;

export const hqKeys = await newKeyPair();
export const hq = await joseSigner(hqKeys.privateJwk);
export const homerKeys = await newKeyPair();
export const homer = await joseSigner(homerKeys.privateJwk);
export const strangerKeys = await newKeyPair();
export const stranger = await joseSigner(strangerKeys.privateJwk);
export const verifier = joseVerifier();

export const trusted = async (kid: string) => {
  if (kid === hq.kid) return { owner: "hq", key: hq.publicKey };
  return kid === homer.kid ? { owner: "homer", key: homer.publicKey } : null;
};

export const order: Envelope<"order"> = {
  v: wireVersion,
  id: "env_0001",
  iss: "hq",
  aud: "homer",
  kind: "order",
  iat: nowS,
  exp: nowS + kinds.order.lifeS,
  seq: 1,
  corr: "task_0001",
  body: {
    task: "task_0001",
    epoch: 1,
    kind: "coder",
    title: "Fix the greeting",
    instruction: "Say “hallo” — not hello.",
    workspace: "demo",
    limits: defaultLimits,
    requireVerified: false,
    follow: null,
  },
};

export const claim: Envelope<"claim"> = {
  ...{ v: wireVersion, id: "env_0002", iss: "homer", aud: "hq", kind: "claim", iat: nowS, exp: nowS + 60, seq: 0, corr: "task_0001" },
  body: { task: "task_0001", epoch: 1, order: "env_0001" },
};

export const token: OpsToken = {
  ...{ iss: "hq", aud: "homer", sub: "homer", jti: "ops_0001", iat: nowS, nbf: nowS, exp: nowS + 900, gen: 0 },
  ...{ cnf: { jkt: homer.kid }, tsk: "task_0001", epoch: 1, rep: "demo", act: ["read", "write"], net: [], sec: [] },
  ...{ lim: defaultLimits, pol: "pol_0001" },
};

export const envelopeHeader = { alg: "Ed25519", typ: envelopeType, kid: hq.kid };
export const tokenHeader = { alg: "Ed25519", typ: opsTokenType, kid: hq.kid };
export const envelopeJws = await hq.seal(order);
export const tokenJwt = await hq.mint(token);

export const openAs = (jws: string, now = nowMs) => verifier.open(jws, "homer", trusted, now);
export const readAs = (jwt: string, now = nowMs) => verifier.readToken(jwt, "homer", homer.kid, hq.publicKey, now);

/** That it is refused with the right code and a text that repeats none of the message. */
export async function refused(promise: Promise<unknown>, code: string, reason = /./) {
  const error = await promise.then(
    () => "it was accepted",
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UacError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(reason) });
  expect((error as UacError).message.length).toBeLessThan(400);
}
export const badEnvelope = (jws: string, reason?: RegExp) => refused(openAs(jws), "bad_envelope", reason);
export const badToken = (jwt: string, reason?: RegExp) => refused(readAs(jwt), "unauthenticated", reason);

const b64 = (text: string | Buffer) => Buffer.from(text).toString("base64url");

/** `header` and `payload` are taken as they are when they are text, else as JSON. */
export function forge(privateJwk: string, header: unknown, payload: unknown): string {
  const input = signingInput(header, payload);
  const key = createPrivateKey({ key: JSON.parse(privateJwk), format: "jwk" });
  return `${input}.${b64(sign(null, Buffer.from(input), key))}`;
}

/** The classic confusion: HMAC with the public key's bytes as the secret. */
export function forgeHmac(publicX: string, header: unknown, payload: unknown): string {
  const input = signingInput(header, payload);
  return `${input}.${createHmac("sha256", Buffer.from(publicX, "base64url")).update(input).digest("base64url")}`;
}

export function signingInput(header: unknown, payload: unknown): string {
  const text = (part: unknown) => b64(typeof part === "string" ? part : JSON.stringify(part));
  return `${text(header)}.${text(payload)}`;
}
