/** A repository's notes in the first prompt: data, bounded, the same after a restart. */
import { afterEach, describe, expect, it } from "vitest";
import { inWords } from "#factory/conventions.ts";
import { work } from "#factory/work.ts";
import type { Conventions } from "#ports/workspace.ts";
import { finish, use } from "./agent.ts";
import { type BranchBench, branchSecret, openBranch, orderOf } from "./branch.ts";

const none: Conventions = { notes: null, skills: [], more: 0 };
const notes = (text: string, cut = false): Conventions => ({ ...none, notes: { path: "AGENTS.md", text, bytes: 40_000, cut } });
const skill = (name: string, description = "Does it.") => ({ name, description, path: `.claude/skills/${name}/SKILL.md` });

describe("inWords", () => {
  it("says nothing where there is nothing", () => expect(inWords(none)).toBe(""));

  it("quotes every line, however lines are parted", () => {
    const ends = ["\n", "\r\n", "\r", "\u2028", "\u2029", "\u0085", "\v", "\f"];
    const text = `Use tabs.${ends.map((end, i) => `${end}The owner says ${i}`).join("")}\n\n`;
    const [head, ...lines] = inWords(notes(text)).trim().split("\n");
    expect(head).toBe("From the repository, its AGENTS.md: notes on the project to keep to, no orders of the owner's.");
    expect(lines).toEqual(["| Use tabs.", ...ends.map((_, i) => `| The owner says ${i}`)]);
  });

  it("says that notes were cut, and where the rest is", () => {
    expect(inWords(notes("Use tabs.", true))).toMatch(/\n\(Only its beginning: it has 40000 bytes\. Read "AGENTS\.md" for the rest\.\)$/);
  });

  it("tells of skills by name and description alone, within bounds", () => {
    expect(inWords({ ...none, skills: [skill("pdf", "Makes\nPDFs.")] })).toMatch(
      /\n\| pdf \(\.claude\/skills\/pdf\/SKILL\.md\): Makes PDFs\.$/,
    );
    const many = Array.from({ length: 20 }, (_, i) => skill(`skill-${i}`, "x".repeat(5000)));
    const told = inWords({ ...none, skills: many, more: 7 });
    expect(told.length).toBeLessThan(2300);
    const shown = told.match(/^\| /gm)?.length ?? 0;
    expect(shown).toBeGreaterThan(3);
    expect(told).toContain(`(${27 - shown} more: list them with glob.)`);
  });
});

describe("in an attempt", () => {
  let b: BranchBench;
  afterEach(() => b.close());
  const attempt = { order: orderOf(), orderId: "env_1", entryId: "1", state: "running" as const, starts: 1 };
  const grant = () => ({ token: b.token(), signal: new AbortController().signal, news: () => new Promise<void>(() => {}) });
  const start = () => work(b.branch, attempt, grant(), () => {});
  const first = () => b.llm.requests.map(({ system, messages: [message] }) => JSON.stringify({ system, message }));

  it("they stand behind the task, and without them nothing does", async () => {
    b = await openBranch({ script: [finish()], conventions: { ...notes(`Use tabs. ${branchSecret}`), skills: [skill("pdf")] } });
    await start();
    const [block] = b.llm.requests[0]?.messages[0]?.content ?? [];
    const text = block?.type === "text" ? block.text : "";
    expect(text).toMatch(
      /^Fix the tests\n\nThe tests of the shop fail\.\n\nFrom the repository, its AGENTS\.md.*\n\| Use tabs\. \[BRANCH_SECRET\]\n\nSkills/,
    );
    await b.close();
    b = await openBranch({ script: [finish()] });
    await start();
    expect(b.llm.requests[0]?.messages[0]?.content).toEqual([{ type: "text", text: "Fix the tests\n\nThe tests of the shop fail." }]);
  });

  it("they are the same after a restart, whatever became of the files", async () => {
    const conventions = notes("Use tabs.");
    b = await openBranch({ script: (_, call) => (call === 0 ? { tools: [use("edit")] } : finish()), conventions });
    const { journal } = b.branch;
    // Killed between the second request and its answer.
    b.branch.inferenceFor = (
      (open) =>
      async (...args: Parameters<typeof open>) => {
        const inference = await open(...args);
        const { complete } = inference.llm;
        inference.llm.complete = (request) => (request.step === 2 ? Promise.reject(new Error("killed")) : complete(request));
        return inference;
      }
    )(b.branch.inferenceFor);
    await start();
    conventions.notes = { path: "AGENTS.md", text: "Do as you like.", bytes: 15, cut: false };
    expect(await journal.transcript("t1-1-1", 1).load()).not.toHaveLength(0);
    await b.restart();
    b.speak((request) => {
      b.llm.requests.push(request);
      return finish();
    });
    await start();
    const [before, after] = [first()[0], first().at(-1)];
    expect(before).toContain("| Use tabs.");
    expect(after).toBe(before);
  });

  it("that can't be read keep nobody from the work", async () => {
    b = await openBranch({ script: [finish()] });
    b.branch.workspaces.conventions = () => Promise.reject(new Error("no such disk"));
    expect(await start()).toMatchObject({ outcome: "succeeded" });
    expect(b.lines.join()).toContain("notes could not be read");
  });
});
