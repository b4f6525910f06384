/** Signs what this program says and verifies what it is told. Private keys never leave an implementation. */
import type { Envelope, Kind } from "#core/envelope.ts";
import type { PublicKey } from "#core/hq-api.ts";
import type { OpsToken } from "#core/ops-token.ts";

export interface Signer {
  /** Thumbprint of the own key (RFC 7638, SHA-256, base64url): its `kid`. */
  readonly kid: string;
  readonly publicKey: PublicKey;
  /** An envelope to a compact JWS. */
  seal<K extends Kind>(envelope: Envelope<K>): Promise<string>;
  /** HQ only: an Ops Token to a JWT. */
  mint(token: OpsToken): Promise<string>;
  /** A JWS over `text` under typ `uac-proof+jws`, to prove possession of the key. */
  prove(text: string): Promise<string>;
}

/** A key that is trusted, and whose it is. */
export interface TrustedKey {
  owner: string;
  key: PublicKey;
}

export interface Verifier {
  /** The envelope inside, for `self`. Rejects with `bad_envelope` and the reason; only verified bytes are parsed. */
  open(jws: string, self: string, trusted: (kid: string) => Promise<TrustedKey | null>, nowMs: number): Promise<Envelope>;
  /** A token minted by HQ for `self` and bound to `jkt`. Rejects with `unauthenticated`. */
  readToken(jwt: string, self: string, jkt: string, hq: PublicKey, nowMs: number): Promise<OpsToken>;
  /** True if `proof` is `key`'s signature over `text`. */
  proves(proof: string, text: string, key: PublicKey): Promise<boolean>;
  thumbprint(key: PublicKey): Promise<string>;
}
