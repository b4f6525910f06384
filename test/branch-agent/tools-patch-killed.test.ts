/** A factory that is killed while a patch over several files is being made: the model is told, file by file, how far it came. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { expect, it } from "vitest";
import { dir, disk, handsHere, inAWorktree, put, root, worktree } from "./hands.ts";

inAWorktree();

const count = 30;
const names = Array.from({ length: count }, (_, i) => `f${String(i).padStart(2, "0")}`);
/** Long, so that each takes its time. */
const before = `old\n${"kept\n".repeat(100_000)}`;
const after = before.replace("old", "new");
const sections = names.flatMap((name) => [`*** Update File: ${name}`, "-old", "+new"]);
const input = { input: ["*** Begin Patch", ...sections, "*** Add File: added", "+x", "*** Delete File: gone", "*** End Patch"].join("\n") };
const key = "run-7-1";

const script = `
  import { coderHands } from "./branch-agent/tools/coder-hands.ts";
  const { context, input, key } = JSON.parse(process.argv[1]);
  const more = { sandbox: {}, redact: (text) => text, ran: async () => {} };
  const tool = coderHands({ ...context, ...more }).tools.find(({ name }) => name === "apply_patch");
  await tool.run(tool.input.parse(input), { key, signal: new AbortController().signal, stillShown: () => true });`;

/** Has another process make the patch, and kills it when the file `at` is done; null: lets it end. */
async function make(at: string | null) {
  put({ ...Object.fromEntries(names.map((name) => [name, before])), gone: "y\n" });
  rmSync(join(root, "added"), { force: true });
  const scope = { worktree: root, readOnly: [worktree.gitDir], masked: [], network: [] };
  const context = { worktree, scope, names: ["apply_patch"], allowed: ["write"], seesImages: false, logDir: join(dir, "logs") };
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, JSON.stringify({ context, input, key })], {
    stdio: "inherit",
  });
  const ended = once(child, "exit");
  let over = false;
  void ended.then(() => {
    over = true;
  });
  while (at !== null && !over && disk(at) === before) await breathe();
  if (at !== null) child.kill("SIGKILL");
  await ended;
}

async function told(about = key) {
  const tool = handsHere().tools.find(({ name }) => name === "apply_patch");
  return await tool?.afterRestart?.(input, { key: about, signal: new AbortController().signal, stillShown: () => false });
}

it("in the middle", async () => {
  await make(names[2] ?? null);
  const done = names.filter((name) => disk(name) === after);
  expect(done.length).toBeGreaterThan(2);
  expect(done.length).toBeLessThan(count);
  const update = (list: string[]) => list.map((name) => `update "${name}"`).join(", ");
  const left = names.filter((name) => !done.includes(name));
  const rest = `Not done, so make a patch of these alone: ${update(left)}, add "added", delete "gone".`;
  const sentences = ["The factory was restarted while this ran.", `Done: ${update(done)}.`, rest];
  expect(await told()).toEqual({ isError: true, content: sentences.join("\n") });
  put({ [left[0] ?? ""]: "somebody else's\n" });
  expect((await told())?.content).toContain(`Neither as before nor as the patch has it, so look first: update "${left[0]}".`);
});

it("before its result was kept", async () => {
  await make(null);
  expect((await told())?.isError).toBeUndefined();
  expect((await told())?.content).toContain(`All of it was done: update "f00"`);
});

it("before its first file", async () => {
  expect(await told("run-8-1")).toMatchObject({ isError: true, content: expect.stringContaining("No file was changed by it") });
});
