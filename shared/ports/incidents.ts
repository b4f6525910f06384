/** What should not have happened, in the state of record. */

export interface Incident {
  kind: string;
  factory: string | null;
  text: string;
  /** What could not be read or settled, as it came. */
  data?: string;
  /** Digest of what caused it; the same twice is one incident. */
  digest: string;
}
