/** Drives the stand-in as a factory would: over HTTP, with plain tools on a real directory. */
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { llmFor } from "#adapters/llm/index.ts";
import type { Message, ModelReply, ToolSpec } from "#ports/llm.ts";
import { fakeClock } from "../contracts/llm.contract.ts";
import { endpointOf } from "../support/endpoint.ts";

const string = { type: "string" };
const spec = (name: string, properties: Record<string, unknown>, required = Object.keys(properties)): ToolSpec => ({
  name,
  description: name,
  inputSchema: { type: "object", properties, required, additionalProperties: false },
});

export const coderTools: ToolSpec[] = [
  spec("bash", { command: string, timeout_s: { type: "integer" } }, ["command"]),
  spec("edit", { path: string, edits: { type: "array" } }),
  spec("finish", { status: { type: "string", enum: ["done", "failed"] }, summary: string }),
  spec("glob", { pattern: string, path: string }, ["pattern"]),
  spec("grep", { pattern: string, path: string }, ["pattern"]),
  spec("read", { path: string, offset: { type: "integer" }, limit: { type: "integer" } }, ["path"]),
  spec("write", { path: string, content: string }),
];

export interface Finished {
  status: string;
  summary: string;
  messages: Message[];
  steps: number;
}

/** Runs a task to its `finish`. `interfere` may change what a tool answers, by the number of the step. */
export async function runCoder(
  url: string,
  dir: string,
  instruction: string,
  interfere: (step: number, result: { content: string; isError: boolean }) => { content: string; isError: boolean } = (_, result) => result,
): Promise<Finished> {
  const llm = llmFor(endpointOf({ provider: "scripted", baseUrl: url, apiKey: "any" }), { clock: fakeClock() });
  const messages: Message[] = [{ role: "user", content: [{ type: "text", text: instruction }] }];
  for (let step = 1; step <= 150; step++) {
    const reply: ModelReply = await llm.complete({ system: "You are a coder.", messages, tools: coderTools, maxTokens: 4096 });
    messages.push({ role: "assistant", content: reply.content });
    const call = reply.content.find((block) => block.type === "tool_use");
    if (!call) throw new Error(`no call: ${JSON.stringify(reply.content)}`);
    const input = call.input as Record<string, string>;
    if (call.name === "finish") return { status: input.status ?? "", summary: input.summary ?? "", messages, steps: step };
    const result = interfere(step, runTool(dir, call.name, call.input as never));
    messages.push({ role: "user", content: [{ type: "tool_result", id: call.id, ...result }] });
  }
  throw new Error("it did not finish in 150 steps");
}

interface Input {
  path: string;
  pattern: string;
  command: string;
  edits: { old: string; new: string }[];
}

function runTool(dir: string, name: string, input: Input): { content: string; isError: boolean } {
  const ok = (content: string) => ({ content, isError: false });
  const failed = (content: string) => ({ content, isError: true });
  switch (name) {
    case "glob": {
      const found = globSync(input.pattern, { cwd: dir }).filter(
        (path) => !path.startsWith("node_modules") && statSync(join(dir, path)).isFile(),
      );
      return ok(found.sort().join("\n"));
    }
    case "read":
      try {
        const lines = readFileSync(join(dir, input.path), "utf8").split("\n");
        return ok(lines.map((line, i) => `${String(i + 1).padStart(5)}→${line}`).join("\n"));
      } catch {
        return failed(`There is no file ${input.path}.`);
      }
    case "edit": {
      const path = join(dir, input.path);
      let text = readFileSync(path, "utf8");
      for (const edit of input.edits) {
        const parts = text.split(edit.old);
        if (parts.length !== 2) return failed(`old was found ${parts.length - 1} times`);
        text = parts.join(edit.new);
      }
      writeFileSync(path, text);
      return ok("edited");
    }
    case "bash": {
      // vitest's own settings would change what the inner test runner does.
      const env = { PATH: process.env.PATH ?? "", HOME: dir };
      const run = spawnSync("bash", ["-c", input.command], { cwd: dir, encoding: "utf8", env });
      return ok(`${run.stdout}${run.stderr}\nexit code ${run.status}`);
    }
    default:
      return failed(`There is no tool ${name}.`);
  }
}

/** Writes files below `dir`. */
export function writeRepo(dir: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
}
