import { expect, it } from "vitest";
import { attendBranch, type Kept } from "../../dev/box/attend-branch.ts";
import type { Child } from "../../dev/box/child.ts";

/** Branches that end when told to. */
function branches() {
  const ends: ((how: string) => void)[] = [];
  const box: Kept = {
    branch: null,
    async startBranch() {
      const { promise, resolve } = Promise.withResolvers<string>();
      ends.push(resolve);
      const branch: Child = { name: "desk-1", pid: ends.length, exited: promise, stop: async () => undefined, kill: () => undefined };
      box.branch = branch;
      return branch;
    },
  };
  return { box, ends };
}

async function until(holds: () => boolean) {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

it("starts a branch again that was killed, and says so", async () => {
  const { box, ends } = branches();
  await box.startBranch();
  const stop = new AbortController();
  const said: string[] = [];
  const attending = attendBranch(box, { stop: stop.signal, logFile: "desk-1.log", say: (line) => said.push(line), waitMs: 1 });
  ends[0]?.("SIGKILL");
  await until(() => ends.length === 2);
  expect(said).toEqual(["the branch ended (SIGKILL); it is started again"]);
  stop.abort();
  await attending;
  ends[1]?.("exit code 0");
  expect(said).toHaveLength(1);
});

it("leaves one alone that ends at once each time, and names the log", async () => {
  const { box, ends } = branches();
  await box.startBranch();
  const said: string[] = [];
  const attending = attendBranch(box, {
    stop: new AbortController().signal,
    logFile: "desk-1.log",
    say: (line) => said.push(line),
    waitMs: 1,
  });
  for (let i = 0; i < 3; i += 1) {
    await until(() => ends.length > i);
    ends[i]?.("exit code 2");
  }
  await attending;
  expect(ends).toHaveLength(3);
  expect(said.at(-1)).toBe("the branch ended again (exit code 2) and is left alone; the cause is at the end of desk-1.log");
});

it("leaves one alone that was told to stop", async () => {
  const { box, ends } = branches();
  await box.startBranch();
  const said: string[] = [];
  const stop = new AbortController().signal;
  const attending = attendBranch(box, { stop, logFile: "desk-1.log", say: (line) => said.push(line), waitMs: 1 });
  ends[0]?.("exit code 0");
  await attending;
  expect(ends).toHaveLength(1);
  expect(said.join()).toContain("was told to stop");
});
