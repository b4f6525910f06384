/** Ed25519 by `jose`: runs in workerd and in Node. */
import { CompactSign, calculateJwkThumbprint, compactVerify, exportJWK, generateKeyPair, importJWK } from "jose";
import { envelopeType, maxEntryBytes, parseEnvelope, skewS } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { type PublicKey, publicKeySchema } from "#core/hq-api.ts";
import { opsTokenMinutes, opsTokenSchema, opsTokenType } from "#core/ops-token.ts";
import type { Signer, TrustedKey, Verifier } from "#ports/signer.ts";
import { algorithm, inspect, parseJson, Refused, verified } from "./compact.ts";

const proofType = "uac-proof+jws";
const maxReason = 300;

/** A new key. `privateJwk` is a secret: JSON text, for the environment or a file that only its owner reads. */
export async function newKeyPair(): Promise<{ privateJwk: string; publicKey: PublicKey }> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const { kty, crv, x, d } = await exportJWK(privateKey);
  return { privateJwk: JSON.stringify({ kty, crv, x, d }), publicKey: publicKeySchema.parse({ kty, crv, x }) };
}

/**
 * Signs with the Ed25519 private JWK in `privateJwk` (JSON text). Rejects with `bad_config` if it is none; what `seal` and
 * `mint` would sign but no reader would accept is refused with `bad_input`, an envelope beyond `maxEntryBytes` with `too_large`.
 */
export async function joseSigner(privateJwk: string): Promise<Signer> {
  const { key, publicKey } = await readPrivateKey(privateJwk);
  const kid = await calculateJwkThumbprint(publicKey);
  const sign = (typ: string, text: string) =>
    new CompactSign(new TextEncoder().encode(text)).setProtectedHeader({ alg: algorithm, typ, kid }).sign(key);

  return {
    kid,
    publicKey,

    async seal(envelope) {
      const text = JSON.stringify(envelope);
      const read = parseEnvelope(JSON.parse(text), envelope.aud, envelope.iss, envelope.iat);
      if (!read.ok) throw new UacError("bad_input", clip(`A ${envelope.kind} that no reader would accept: it ${read.reason}`));
      const jws = await sign(envelopeType, text);
      if (jws.length <= maxEntryBytes) return jws;
      throw new UacError("too_large", `A ${envelope.kind} of ${jws.length} bytes: the bus carries ${maxEntryBytes}. Shorten its texts.`);
    },

    async mint(token) {
      const read = opsTokenSchema.safeParse(token);
      if (!read.success) throw new UacError("bad_input", "An Ops Token that no reader would accept", { cause: read.error });
      return sign(opsTokenType, JSON.stringify(read.data));
    },

    prove: (text) => sign(proofType, text),
  };
}

export function joseVerifier(): Verifier {
  return {
    async open(jws, self, trusted, nowMs) {
      const sealed = refusedAs("bad_envelope", "The message", () => inspect(jws, envelopeType));
      // Outside the refusal: a key store that is away is the reader's trouble, not the message's.
      const signer = await trusted(sealed.kid);
      return refusedAs("bad_envelope", "The message", async () => {
        const payload = parseJson(await verifiedBy(signer, sealed));
        const read = parseEnvelope(payload, self, signer?.owner ?? "", Math.floor(nowMs / 1000));
        if (!read.ok) throw new Refused(read.reason);
        return read.envelope;
      });
    },

    readToken: (jwt, self, jkt, hq, nowMs) =>
      refusedAs("unauthenticated", "The Ops Token", async () => {
        const payload = parseJson(await verifiedBy({ owner: "hq", key: hq }, inspect(jwt, opsTokenType)));
        const read = opsTokenSchema.safeParse(payload);
        if (!read.success) throw new Refused("is not in the form of an Ops Token", { cause: read.error });
        const token = read.data;
        const nowS = Math.floor(nowMs / 1000);
        if (token.aud !== self) throw new Refused(`is for another factory than ${self}`);
        if (token.cnf.jkt !== jkt) throw new Refused("is bound to another key");
        if (token.exp <= nowS - skewS) throw new Refused("has expired");
        if (Math.max(token.nbf, token.iat) > nowS + skewS) throw new Refused("is from the future");
        if (token.exp - token.iat > opsTokenMinutes * 60) throw new Refused(`lives longer than ${opsTokenMinutes} minutes`);
        return token;
      }),

    async proves(proof, text, key) {
      try {
        return (await verifiedBy({ owner: "", key }, inspect(proof, proofType))) === text;
      } catch (error) {
        if (error instanceof Refused) return false;
        throw error;
      }
    },

    thumbprint: (key) => calculateJwkThumbprint(key),
  };
}

/** The text that `signer` signed. The key must be the one that the message names: a key store can be wrong too. */
async function verifiedBy(signer: TrustedKey | null, sealed: { jws: string; kid: string }) {
  if (!signer) throw new Refused("is signed by a key that is not trusted");
  if ((await calculateJwkThumbprint(signer.key)) !== sealed.kid) throw new Refused("is signed by another key than expected");
  return verified(sealed, signer.key);
}

function refusedAs<T>(code: "bad_envelope" | "unauthenticated", what: string, check: () => T): T {
  const translate = (error: unknown): never => {
    if (!(error instanceof Refused)) throw error;
    throw new UacError(code, clip(`${what} ${error.message}`), { cause: error.cause });
  };
  try {
    const result = check();
    return (result instanceof Promise ? result.catch(translate) : result) as T;
  } catch (error) {
    return translate(error);
  }
}

/** A reason can quote key names that a sender chose: one line, of bounded length. */
function clip(reason: string) {
  const line = reason.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  return line.length > maxReason ? `${line.slice(0, maxReason)}…` : line;
}

async function readPrivateKey(privateJwk: string) {
  try {
    const { kty, crv, x, d } = JSON.parse(privateJwk);
    const publicKey = publicKeySchema.parse({ kty, crv, x });
    if (typeof d !== "string" || d.length !== 43) throw new Error("no private part (d)");
    const key = await importJWK({ ...publicKey, d }, algorithm);
    // workerd imports a `d` and an `x` of two different keys without a word (Node refuses them).
    const probe = await new CompactSign(new Uint8Array(1)).setProtectedHeader({ alg: algorithm }).sign(key);
    await compactVerify(probe, await importJWK(publicKey, algorithm));
    return { key, publicKey };
  } catch {
    // No cause: parsers quote what they could not read, and here that is the key.
    throw new UacError("bad_config", "The signing key is not an Ed25519 private key as JSON (JWK with kty, crv, x, d). Make a new one.");
  }
}
