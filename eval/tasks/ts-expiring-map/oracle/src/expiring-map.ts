/** A map whose entries run out. The clock is given, so that nothing here waits. */
export class ExpiringMap<K, V> {
  readonly #entries = new Map<K, { value: V; until: number }>();
  readonly #ttlMs: number;
  readonly #now: () => number;

  constructor(ttlMs: number, now: () => number = Date.now) {
    this.#ttlMs = ttlMs;
    this.#now = now;
  }

  set(key: K, value: V): void {
    this.#entries.set(key, { value, until: this.#now() + this.#ttlMs });
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until > this.#now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** How many have not run out. */
  get size(): number {
    this.#sweep();
    return this.#entries.size;
  }

  /** What is there, or what `make` makes of the key: then that is kept. A rejection is not. */
  async getOrMake(key: K, make: (key: K) => Promise<V>): Promise<V> {
    const known = this.get(key);
    if (known !== undefined) return known;
    const value = await make(key);
    this.set(key, value);
    return value;
  }

  #sweep(): void {
    const now = this.#now();
    for (const [key, { until }] of this.#entries) if (until <= now) this.#entries.delete(key);
  }
}
