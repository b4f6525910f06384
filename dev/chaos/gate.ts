/**
 * Where the harness takes hold of a process of the town: its ports are wrapped, and a call whose name is armed asks the controller
 * before or after it. The controller may kill the process there; then the question is never answered.
 */
import { type ErrorCode, UacError } from "#core/errors.ts";

/** `lose`: it was done, and the caller is told that it failed. `twice`: it is done a second time. */
export type Verdict = "go" | "lose" | "twice";

export interface Gate {
  /** True if somebody waits for a call of this name to come by. */
  armed(point: string): boolean;
  /** Asks what is to happen there; rejects never: a controller that is gone lets everything pass. */
  reach(point: string): Promise<Verdict>;
  /** Tells the controller what it can't see from outside. */
  tell(what: string, detail: unknown): Promise<void>;
  /** Asks anew which points are armed. */
  refresh(): Promise<void>;
}

export const controllerVariable = "CHAOS_CONTROLLER";
export const lifeVariable = "CHAOS_LIFE";

/** `life` names this run of the process: the next one has another. */
export function openGate(url: string, who: string, life: string): Gate {
  let points = new Set<string>();
  const post = (path: string, body: unknown) =>
    fetch(`${url}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  return {
    armed: (point) => points.has(point),
    async reach(point) {
      try {
        const response = await post("/reached", { who, life, point });
        return ((await response.json()) as { verdict: Verdict }).verdict;
      } catch {
        return "go";
      }
    },
    async tell(what, detail) {
      const response = await post("/told", { who, life, what, detail }).catch(() => null);
      await response?.body?.cancel();
    },
    async refresh() {
      const response = await fetch(`${url}/armed?who=${who}`).catch(() => null);
      if (response) points = new Set((await response.json()) as string[]);
    },
  };
}

/** Keeps a long-lived process informed. The first answer is there when it resolves. */
export async function keepFresh(gate: Gate, everyMs: number): Promise<void> {
  await gate.refresh();
  setInterval(() => void gate.refresh(), everyMs).unref();
}

/** Calls that hand out a port instead of doing something. */
const handsOut = ["transcript", "turn"];

/**
 * `port` under the gate: its calls are `<name>.<method>`, asked at `:before` and `:after`. A port within it is followed. `lost` is
 * the code of the error that stands for an answer which did not come.
 */
export function gated<T extends object>(port: T, name: string, gate: Gate, lost: ErrorCode): T {
  return new Proxy(port, {
    get(target, key, receiver) {
      const value = Reflect.get(target, key, receiver);
      const point = `${name}.${String(key)}`;
      if (value !== null && typeof value === "object") return gated(value, point, gate, lost);
      if (typeof value !== "function") return value;
      if (handsOut.includes(String(key))) return (...args: unknown[]) => gated(value.apply(target, args), point, gate, lost);
      return (...args: unknown[]) => {
        const call = () => value.apply(target, args);
        const watched = gate.armed(`${point}:before`) || gate.armed(`${point}:after`);
        return watched ? passing(gate, point, call, lost) : call();
      };
    },
  });
}

async function passing(gate: Gate, point: string, call: () => unknown, lost: ErrorCode): Promise<unknown> {
  const before = gate.armed(`${point}:before`) ? await gate.reach(`${point}:before`) : "go";
  if (before === "twice") await call();
  const result = await call();
  const after = gate.armed(`${point}:after`) ? await gate.reach(`${point}:after`) : "go";
  if (before === "lose" || after === "lose") throw new UacError(lost, `The answer of ${point} was lost on purpose.`);
  return result;
}
