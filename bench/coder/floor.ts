/**
 * The least that does the same work: `floor.ts <model's address> <repository> [tests]`. A loop of fetch and spawn; no sandbox, no journal, no
 * meter, no checks. With `tests` it runs them before and after too, as the coder's harness does.
 */
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { instruction, testCommand } from "./script.ts";

const [url = "", repository = "", withTests] = process.argv.slice(2);
const object = (properties: Record<string, object>) => ({ type: "object", properties, required: Object.keys(properties) });
const text = { type: "string" };
const edits = { type: "array", items: object({ old: text, new: text }) };
const tools = [
  { name: "bash", description: "Run a command.", input_schema: object({ command: text }) },
  { name: "read", description: "Read a file.", input_schema: object({ path: text }) },
  { name: "edit", description: "Replace texts in a file.", input_schema: object({ path: text, edits }) },
  { name: "finish", description: "End the task.", input_schema: object({ status: text, summary: text }) },
];

interface Use {
  type: string;
  id: string;
  name: string;
  input: { command: string; path: string; edits: { old: string; new: string }[] };
}

function run(command: string): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn("/bin/bash", ["-c", command], { cwd: repository, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
      });
    }
    child.once("close", (code) => resolve(`${output}[exit ${code}]`));
  });
}

async function act({ name, input }: Use): Promise<string> {
  if (name === "bash") return run(input.command);
  const path = join(repository, input.path);
  const content = await readFile(path, "utf8");
  if (name === "read") return content;
  await writeFile(
    path,
    input.edits.reduce((done, edit) => done.replace(edit.old, edit.new), content),
  );
  return "edited";
}

if (withTests) await run(testCommand);
const messages: { role: string; content: unknown }[] = [{ role: "user", content: instruction }];
for (;;) {
  const body = JSON.stringify({ model: "scripted-1", max_tokens: 4096, system: "You are a coder.", tools, messages });
  const answer = await fetch(`${url}/v1/messages`, { method: "POST", body, headers: { "content-type": "application/json" } });
  const { content } = (await answer.json()) as { content: Use[] };
  messages.push({ role: "assistant", content });
  const use = content.find((block) => block.type === "tool_use");
  if (!use || use.name === "finish") break;
  messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: use.id, content: await act(use) }] });
}
if (withTests) await run(testCommand);
