/** What the bench of the bus compares: ways in which a job gets from a sender to a receiver. */

export interface Contender {
  name: string;
  /** What its figures include, in a line. */
  about: string;
  /** Hands one job over. Resolves when the receiver has it in hand, to how long that took, milliseconds. Several may be under way. */
  hand(): Promise<number>;
  /** The receiver should be ready for so many at once. */
  widen(inFlight: number): void;
  /** Resolves when what follows a job (acknowledgement, result, settling) is done for all of them. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** 1 KB of text, as every contender's job carries. */
export const payload = "x".repeat(1024);

/** Jobs under way, by id: from the sending to the moment the receiver has one in hand. */
export function underWay() {
  const waiting = new Map<string, { since: number; resolve: (ms: number) => void; reject: (error: unknown) => void }>();
  let count = 0;
  return {
    /** A new job: its id, and when it has arrived. The clock starts here. */
    start(): { id: string; arrived: Promise<number> } {
      count += 1;
      const id = `job${String(count).padStart(8, "0")}`;
      const { promise: arrived, resolve, reject } = Promise.withResolvers<number>();
      waiting.set(id, { since: performance.now(), resolve, reject });
      return { id, arrived };
    },
    /** The receiver has it. A second arrival is none. */
    arrive(id: string) {
      const job = waiting.get(id);
      waiting.delete(id);
      job?.resolve(performance.now() - job.since);
    },
    /** Nothing will arrive any more. */
    fail(error: unknown) {
      for (const job of waiting.values()) job.reject(error);
      waiting.clear();
    },
  };
}
