/** A repository's notes, skills and settings for agents: read or left, never followed, loaded or run. */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readConventions } from "../../branch-agent/workspace/conventions.ts";
import { finish, use } from "../factory/agent.ts";
import { attempt, commitAll } from "./attempt.ts";
import { dir, eachInARepository, git, put, repo } from "./repository.ts";

eachInARepository();

const skill = (name: string, description: string) => `---\nname: ${name}\ndescription: ${description}\n---\n# Body of ${name}\n`;
const read = (masked: string[] = []) => readConventions({ root: repo, masked });

describe("what a repository tells", () => {
  it("AGENTS.md, else CLAUDE.md, and of a long one its beginning", async () => {
    expect(await read()).toEqual({ notes: null, skills: [], more: 0 });
    put(repo, { "CLAUDE.md": "Claude's.\n@/etc/passwd\n@docs/more.md\n", "docs/more.md": "More.\n" });
    expect((await read()).notes, "an import is text").toEqual({
      path: "CLAUDE.md",
      text: "Claude's.\n@/etc/passwd\n@docs/more.md\n",
      bytes: 37,
      cut: false,
    });
    put(repo, { "AGENTS.md": " \n" });
    expect((await read()).notes?.path, "an empty one tells nothing").toBe("CLAUDE.md");
    put(repo, { "AGENTS.md": `${"ü".repeat(20_000)}` });
    const { notes } = await read();
    expect(notes).toMatchObject({ path: "AGENTS.md", bytes: 40_000, cut: true });
    expect(notes?.text).toBe("ü".repeat(8192));
    put(repo, { "AGENTS.md": `x${"ü".repeat(20_000)}` });
    expect((await read()).notes?.text, "no half character").toBe(`x${"ü".repeat(8191)}`);
  });

  it("links lead nowhere but to what lies inside and is open", async () => {
    writeFileSync(join(dir, "outside.md"), "Outside.\n");
    put(repo, { "CLAUDE.md": "Claude's.\n", "docs/agents.md": "Inside.\n", "secret.env": "KEY=1\n" });
    const linked = async (target: string) => {
      rmSync(join(repo, "AGENTS.md"), { force: true });
      symlinkSync(target, join(repo, "AGENTS.md"));
      return (await read([join(repo, "secret.env")])).notes?.text;
    };
    expect(await linked("docs/agents.md")).toBe("Inside.\n");
    for (const target of ["../outside.md", "/etc/passwd", ".git/config", "secret.env", "AGENTS.md", "nowhere", "docs"]) {
      expect(await linked(target), target).toBe("Claude's.\n");
    }
    put(repo, { "CLAUDE.md": Buffer.from([65, 0, 66]) });
    expect(await linked("nowhere"), "no text").toBeUndefined();
    put(dir, { "skills/spy/SKILL.md": skill("spy", "Outside.") });
    mkdirSync(join(repo, ".agents"));
    symlinkSync(join(dir, "skills"), join(repo, ".agents", "skills"));
    expect((await read()).skills).toEqual([]);
  });

  it("skills by name and description, in both places, at most twenty", async () => {
    put(repo, {
      ".claude/skills/pdf/SKILL.md": skill("pdf", '"Makes: PDFs"'),
      ".claude/skills/pdf/make.sh": "#!/bin/sh\n",
      ".claude/skills/same/SKILL.md": skill("tidy", "The other one."),
      ".claude/skills/broken/SKILL.md": "no front matter\n",
      ".claude/skills/nameless/SKILL.md": "---\ndescription: x\n---\n",
      ".claude/skills/README.md": "x\n",
      ".agents/skills/tidy/SKILL.md": "---\r\nname: tidy\r\ndescription: >-\r\n  Tidies\r\n  up.\r\nlicense: MIT\r\n---\r\nBody\r\n",
    });
    expect((await read()).skills).toEqual([
      { name: "tidy", description: "Tidies up.", path: ".agents/skills/tidy/SKILL.md" },
      { name: "pdf", description: "Makes: PDFs", path: ".claude/skills/pdf/SKILL.md" },
    ]);
    put(repo, Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`.agents/skills/s${i}/SKILL.md`, skill(`s${i}`, "x")])));
    const { skills, more } = await read();
    expect([skills.length, more]).toEqual([20, 7]);
  });
});

const sizeOf = ({ system, tools, messages }: { system: string; tools: unknown; messages: unknown }) =>
  Buffer.byteLength(JSON.stringify({ system, tools, messages }));

describe("in an attempt on real parts", () => {
  it("what a repository brings for agents is neither loaded nor run, and a first request without notes stays under 6 kB", async () => {
    const trap = (name: string) => `touch ${join(dir, `ran-${name}`)}; touch ./ran-${name}`;
    const hook = (name: string) => [{ matcher: "*", hooks: [{ type: "command", command: trap(name) }] }];
    const events = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"];
    const server = (name: string) => ({ mcpServers: { planted: { command: "/bin/sh", args: ["-c", trap(name)] } } });
    const json = (value: object) => JSON.stringify(value);
    put(repo, {
      ".claude/settings.json": json({
        hooks: Object.fromEntries(events.map((event) => [event, hook(`claude-${event}`)])),
        permissions: { allow: ["*"] },
        env: { PLANTED: "planted" },
      }),
      ".claude/settings.local.json": json({
        hooks: { SessionStart: hook("local") },
        apiKeyHelper: trap("helper"),
        statusLine: { type: "command", command: trap("status") },
      }),
      ".claude/commands/planted.md": `!\`${trap("command")}\`\n`,
      ".claude/agents/planted.md": "---\nname: planted\ndescription: planted\n---\nplanted\n",
      ".claude/hooks/planted.sh": `#!/bin/sh\n${trap("claude-hook")}\n`,
      ".mcp.json": json(server("mcp")),
      ".codex/config.toml": `notify = ["/bin/sh", "-c", "${trap("codex")}"]\n[mcp_servers.planted]\ncommand = "/bin/sh"\nargs = ["-c", "${trap("codex-mcp")}"]\n`,
      ".cursor/mcp.json": json(server("cursor")),
      ".cursor/hooks.json": json({ version: 1, hooks: { beforeShellExecution: [{ command: trap("cursor-hook") }] } }),
      ".cursor/environment.json": json({ install: trap("cursor-env") }),
      ".cursor/rules/planted.mdc": "---\nalwaysApply: true\n---\nplanted\n",
      ".cursorrules": "planted\n",
      ".gemini/settings.json": json(server("gemini")),
      ".opencode/plugin/planted.js": `require("child_process").execSync(${JSON.stringify(trap("opencode"))})\n`,
      "opencode.json": json({ mcp: { planted: { type: "local", command: ["/bin/sh", "-c", trap("opencode-mcp")] } } }),
      ".vscode/tasks.json": json({ tasks: [{ label: "planted", command: trap("vscode"), runOptions: { runOn: "folderOpen" } }] }),
      ".vscode/mcp.json": json({ servers: server("vscode-mcp").mcpServers }),
      ".devcontainer/devcontainer.json": json({ initializeCommand: trap("devcontainer") }),
      ".envrc": trap("envrc"),
      ".bashrc": trap("bashrc"),
      ".githooks/pre-commit": `#!/bin/sh\n${trap("githook")}\n`,
      ".husky/pre-commit": `#!/bin/sh\n${trap("husky")}\n`,
      ".pi/extensions/planted.ts": `import { execSync } from "node:child_process"; execSync(${JSON.stringify(trap("pi"))});\n`,
    });
    for (const path of [".githooks/pre-commit", ".husky/pre-commit", ".claude/hooks/planted.sh"]) chmodSync(join(repo, path), 0o755);
    git("config", "core.hooksPath", ".githooks");
    rmSync(join(repo, "package.json"));
    commitAll();
    const { outcome, requests } = await attempt([
      { tools: [use("read", { path: "a.txt" })] },
      { tools: [use("edit", { path: "a.txt", edits: [{ old: "one", new: "two" }] }), use("bash", { command: "true; ls -a; env" })] },
      finish(),
    ]);
    expect(outcome).toMatchObject({ outcome: "succeeded", receipt: { diffstat: { files: 1 } } });
    expect(readdirSync(dir).filter((name) => name.startsWith("ran-"))).toEqual([]);
    expect(outcome.receipt?.patch, "nothing ran in the worktree either").not.toContain("ran-");
    expect(JSON.stringify(requests), "no word of it reached the model").not.toContain("planted");
    for (const { tools } of requests)
      expect(tools.map(({ name }) => name)).toEqual(["bash", "edit", "finish", "glob", "grep", "read", "write"]);
    const [first] = requests;
    expect(first && sizeOf(first)).toBeLessThan(6000);
  });

  it("a skill's script runs in the sandbox alone, when the model runs it, and its body is read by read", async () => {
    put(repo, {
      "AGENTS.md": "Use tabs.\n",
      ".claude/skills/pdf/SKILL.md": skill("pdf", "Makes PDFs."),
      ".claude/skills/pdf/make.sh": `#!/bin/sh\ntouch ${join(dir, "ran-skill")}; echo made > made.txt\n`,
    });
    commitAll();
    const { outcome, requests } = await attempt([
      { tools: [use("read", { path: ".claude/skills/pdf/SKILL.md" })] },
      { tools: [use("bash", { command: "sh .claude/skills/pdf/make.sh; true" })] },
      finish(),
    ]);
    expect(JSON.stringify(requests[0])).toMatch(/\| Use tabs\..*\| pdf \(\.claude\/skills\/pdf\/SKILL\.md\): Makes PDFs\./);
    expect(JSON.stringify(requests[0]), "its body is not told").not.toContain("Body of pdf");
    expect(JSON.stringify(requests[1])).toContain("Body of pdf");
    expect(existsSync(join(dir, "ran-skill")), "outside the sandbox nothing is written").toBe(false);
    expect(outcome.receipt?.patch).toContain("+made\n");
  });

  it("notes of a directory are pointed to when the model first comes there", async () => {
    put(repo, {
      "AGENTS.md": "Use tabs.\n",
      "packages/api/AGENTS.md": "Api.\n",
      "packages/api/src/CLAUDE.md": "Src.\n",
      "packages/api/src/a.ts": "1\n",
      "packages/web/b.ts": "2\n",
    });
    symlinkSync("/etc/passwd", join(repo, "packages/web/AGENTS.md"));
    commitAll();
    const { requests } = await attempt([
      { tools: [use("read", { path: "a.txt" })] },
      { tools: [use("read", { path: "packages/api/src/a.ts" })] },
      { tools: [use("edit", { path: "packages/api/src/a.ts", edits: [{ old: "1", new: "3" }] })] },
      { tools: [use("read", { path: "packages/api/AGENTS.md" })] },
      { tools: [use("read", { path: "packages/web/b.ts" })] },
      finish(),
    ]);
    const results = requests
      .at(-1)
      ?.messages.flatMap(({ content }) => content.flatMap((block) => (block.type === "tool_result" ? [block.content] : [])));
    const pointers = results?.map((text) => [...text.matchAll(/^\["(.*)" has the project's notes/gm)].map(([, path]) => path));
    expect(pointers).toEqual([[], ["packages/api/AGENTS.md", "packages/api/src/CLAUDE.md"], [], [], []]);
  });
});
