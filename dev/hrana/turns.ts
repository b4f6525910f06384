/**
 * One stream at a time has the database. SQLite has one writer, so a stream inside a transaction would make the others fail
 * with SQLITE_BUSY; here they wait their turn, first come first served.
 */
interface Turns {
  /** Resolves to the function that ends the turn. Rejects when the queue is full, the wait too long or `signal` aborted. */
  take(signal: AbortSignal): Promise<() => void>;
}

export function turns(limits: { waiting: number; waitMs: number }): Turns {
  const queue: (() => void)[] = [];
  let taken = false;

  function end() {
    const next = queue.shift();
    if (next) next();
    else taken = false;
  }
  /** A turn ends once, however often its holder says so. */
  function turn() {
    let ended = false;
    return () => {
      if (!ended) end();
      ended = true;
    };
  }

  return {
    take(signal) {
      if (signal.aborted) return Promise.reject(new Error("the request was given up"));
      if (!taken) {
        taken = true;
        return Promise.resolve(turn());
      }
      if (queue.length >= limits.waiting) return Promise.reject(new Error(`${queue.length} requests wait for the database already`));
      return new Promise((resolve, reject) => {
        const leave = (error: Error) => {
          const place = queue.indexOf(grant);
          if (place >= 0) queue.splice(place, 1);
          settle();
          reject(error);
        };
        const timer = setTimeout(() => leave(new Error(`no turn at the database within ${limits.waitMs} ms`)), limits.waitMs);
        const onAbort = () => leave(new Error("the request was given up"));
        const settle = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", onAbort);
        };
        const grant = () => {
          settle();
          resolve(turn());
        };
        signal.addEventListener("abort", onAbort);
        queue.push(grant);
      });
    },
  };
}
