/** A port whose owner is killed at a chosen call: before it reaches the other side, or after it did and before the answer is heard. */
import { UacError } from "#core/errors.ts";

/** One life shared by several ports: it ends at its `last`-th call (from 0), and everything after it fails. */
export function lifeUntil(last: number, when: "before" | "after") {
  let calls = 0;
  const killed = () => new UacError("interrupted", "killed");
  const guard = async (call: () => unknown): Promise<unknown> => {
    const mine = calls;
    if (mine > last || (mine === last && when === "before")) {
      calls = Math.max(calls, last + 1);
      throw killed();
    }
    calls += 1;
    const result = await call();
    if (mine === last) throw killed();
    return result;
  };
  return {
    get calls() {
      return calls;
    },
    get dead() {
      return calls > last;
    },
    /** The port under this life. What is no function is followed: a store is ports within a port. */
    of<T extends object>(port: T): T {
      const mortal = <P extends object>(inner: P): P =>
        new Proxy(inner, {
          get(target, name, receiver) {
            const value = Reflect.get(target, name, receiver);
            if (value !== null && typeof value === "object") return mortal(value);
            if (typeof value !== "function") return value;
            // A transcript is handed out without a call of its own.
            if (name === "turn") return (...args: unknown[]) => mortal(value.apply(target, args));
            return (...args: unknown[]) => guard(() => value.apply(target, args));
          },
        });
      return mortal(port);
    },
  };
}
