/**
 * JWS compact as this corporation speaks it: one spelling per message. jose alone accepts a trailing newline, duplicate
 * JSON keys and any header it knows; here every byte that is accepted is a byte that our own signer would have written.
 */
import { base64url, compactVerify, importJWK } from "jose";
import { maxEntryBytes } from "#core/envelope.ts";
import type { PublicKey } from "#core/hq-api.ts";

export const algorithm = "Ed25519";

const compact = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const headerKeys = ["alg", "typ", "kid"];
const kidPattern = /^[A-Za-z0-9_-]{43}$/;
const maxHeaderChars = 300;

/** Why a JWS is not one of ours. The text names what is wrong and never repeats contents. */
export class Refused extends Error {}

export interface Sealed {
  jws: string;
  kid: string;
}

/** The shape and the header of `jws`, checked before any signature. Throws `Refused`. */
export function inspect(jws: string, typ: string): Sealed {
  if (typeof jws !== "string" || jws.length > maxEntryBytes) throw new Refused(`is larger than ${maxEntryBytes} bytes`);
  // `$` alone would match before a trailing newline in other engines; in JavaScript it does not without the m flag.
  if (!compact.test(jws)) throw new Refused("is not a compact JWS");
  const parts = jws.split(".");
  if (!parts.every(canonical)) throw new Refused("is not in canonical base64url");
  const [protectedHeader = ""] = parts;
  if (protectedHeader.length > maxHeaderChars) throw new Refused("has a header that is too long");

  const header = parseJson(textOf(base64url.decode(protectedHeader)));
  if (typeof header !== "object" || header === null || Array.isArray(header)) throw new Refused("has no header object");
  const { alg, typ: said, kid, ...more } = header as Record<string, unknown>;
  if (Object.keys(more).length > 0) throw new Refused(`has header parameters other than ${headerKeys.join(", ")}`);
  if (alg !== algorithm) throw new Refused(`is not signed with ${algorithm}`);
  if (said !== typ) throw new Refused(`is not of type ${typ}`);
  if (typeof kid !== "string" || !kidPattern.test(kid)) throw new Refused("names no key (kid)");
  return { jws, kid };
}

/** The signed bytes as text. Throws `Refused` unless `key` made the signature. */
export async function verified({ jws }: Sealed, key: PublicKey): Promise<string> {
  let payload: Uint8Array;
  try {
    ({ payload } = await compactVerify(jws, await importJWK(key, algorithm), { algorithms: [algorithm] }));
  } catch (cause) {
    throw new Refused("has a signature that does not verify", { cause });
  }
  return textOf(payload);
}

/**
 * JSON in its one canonical spelling (what `JSON.stringify` writes). Duplicate keys, white space, other escapes and other
 * spellings of a number all read back differently and are refused.
 */
export function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
    if (JSON.stringify(value) === text) return value;
  } catch (cause) {
    throw new Refused("holds no JSON", { cause });
  }
  throw new Refused("holds JSON that has duplicate keys or is not canonical");
}

/** The last character of base64url carries 0, 2 or 4 spare bits: several texts decode to the same bytes, one is canonical. */
function canonical(part: string) {
  try {
    return base64url.encode(base64url.decode(part)) === part;
  } catch {
    return false;
  }
}

function textOf(bytes: Uint8Array) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Refused("is not UTF-8", { cause });
  }
}
