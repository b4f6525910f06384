/** Counts what an event asks of others: a free Worker may make 50 such calls, and what is left waits for the next event. */

const most = 50;

export function countedCalls(limit = most) {
  let made = 0;
  const counted: typeof fetch = (input, init) => {
    made += 1;
    return fetch(input, init);
  };
  return {
    left: () => limit - made,
    fetch: counted,
    /** For what fetches by itself and says so. */
    count() {
      made += 1;
    },
    /** For what does not go by `fetch`: every method is a call. */
    methods<T extends object>(port: T): T {
      return new Proxy(port, {
        get(target, name, receiver) {
          const value = Reflect.get(target, name, receiver);
          if (typeof value !== "function") return value;
          return (...args: unknown[]) => {
            made += 1;
            return value.apply(target, args);
          };
        },
      });
    },
  };
}
