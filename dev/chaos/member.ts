/** A process of the town under the harness's hand: started, killed, frozen, and started again; each run has a name of its own. */
import type { Child } from "../box/child.ts";

export interface Life {
  /** `<member>.<n>` */
  name: string;
  since: number;
  /** Machine time, ms; null while it lives. */
  until: number | null;
  /** How it ended: `killed` and `stopped` by the harness; anything else nobody asked for. */
  how: string | null;
  /** Spans in which it was frozen. */
  frozen: { from: number; to: number | null }[];
}

export interface Member {
  id: string;
  lives: readonly Life[];
  /** The current or last run. */
  life(): Life;
  alive(): boolean;
  /** Starts the next run, a third time at most where it does not become ready; nothing if it is running. */
  start(): Promise<void>;
  /** SIGKILL: of the program alone, or with everything that it started. Resolves when it is gone. */
  kill(whom?: "program" | "group"): Promise<void>;
  /** SIGSTOP for it and everything that it started, and SIGCONT. */
  freeze(): void;
  thaw(): void;
  /** SIGTERM, and its end. Resolves with what ended it. */
  stop(): Promise<string>;
  /** Ends whatever any of its runs left running. */
  sweep(): Promise<void>;
}

/** Goes at a start: on a machine under load a program may not be ready in time, and a service manager would try again. */
const goes = 3;

/** `launch` starts the process of one life; `ready`, if given, is awaited before `start` resolves. */
export function member(id: string, launch: (life: string) => Child, ready?: (child: Child) => Promise<void>): Member {
  const lives: Life[] = [];
  const children: Child[] = [];
  let child: Child | null = null;

  const current = () => {
    const life = lives.at(-1);
    if (!life) throw new Error(`${id} was never started`);
    return life;
  };
  const signal = (name: NodeJS.Signals, whom: "program" | "group") => {
    if (!child) return;
    try {
      process.kill(whom === "group" ? -child.pid : child.pid, name);
    } catch {
      // It is gone already.
    }
  };
  const isAlive = () => lives.length > 0 && current().until === null;

  function begin(): Child {
    const life: Life = { name: `${id}.${lives.length + 1}`, since: Date.now(), until: null, how: null, frozen: [] };
    const started = launch(life.name);
    child = started;
    children.push(started);
    lives.push(life);
    void started.exited.then((how) => {
      life.until = Date.now();
      life.how ??= how;
    });
    return started;
  }
  async function kill(whom: "program" | "group" = "program") {
    if (!child || !isAlive()) return;
    current().how = "killed";
    signal("SIGKILL", whom);
    await child.exited;
  }

  return {
    id,
    lives,
    life: current,
    alive: isAlive,
    async start() {
      for (let go = 1; !isAlive(); go += 1) {
        const started = begin();
        try {
          await ready?.(started);
        } catch (error) {
          if (go === goes) throw error;
          await kill("group");
        }
      }
    },
    kill,
    freeze() {
      signal("SIGSTOP", "group");
      current().frozen.push({ from: Date.now(), to: null });
    },
    thaw() {
      const span = current().frozen.at(-1);
      if (span) span.to ??= Date.now();
      signal("SIGCONT", "group");
    },
    async stop() {
      if (!child || !isAlive()) return current().how ?? "";
      current().how = "stopped";
      await child.stop();
      return child.exited;
    },
    async sweep() {
      for (const one of children) one.kill();
      await Promise.all(children.map((one) => one.stop()));
    },
  };
}
