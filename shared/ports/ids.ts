export interface Ids {
  /** A new id: `prefix_` and 16 random characters of [0-9a-z]; sorts by nothing. */
  next(prefix: string): string;
  /** `bytes` of randomness as base64url, for codes and tokens; it begins with no hyphen. */
  secret(bytes: number): string;
}
