/** Every byte of prompt and tools is paid for at every step. */
import { expect, it } from "vitest";
import { toMessages } from "#adapters/llm/anthropic-request.ts";
import { toChat } from "#adapters/llm/chat-request.ts";
import { waysOf } from "#adapters/llm/presets.ts";
import { toResponses } from "#adapters/llm/responses-request.ts";
import { toolsFor } from "#core/patches.ts";
import { type Wire, wires } from "#core/wire-usage.ts";
import { finishTool } from "#factory/finish.ts";
import { toolSpecs } from "#factory/shown.ts";
import type { ModelRequest } from "#ports/llm.ts";
import type { Tool } from "#ports/tool.ts";
import { coder } from "#staff/coder.ts";
import { handsHere, inAWorktree } from "./hands.ts";

/** Bytes. */
const most = 6000;
const build = { anthropic: toMessages, chat: toChat, responses: toResponses };

inAWorktree();

/** One of each way of changing files. */
const models = { anthropic: "claude-sonnet-5-5", openai: "gpt-5.6-sol" };
const cases = Object.entries(models).flatMap(([provider, model]) => wires.map((wire) => [provider, model, wire] as [string, string, Wire]));

it.each(cases)("the coder's first request to %s (%s) is under 6 kB over %s", (provider, model, wire) => {
  const { tools } = handsHere({ names: toolsFor(coder.tools, { model }) });
  expect(tools.length).toBeGreaterThan(5);
  const worktree = "/home/somebody/.local/share/uac/worktrees/t1234-1-1-1";
  const request: ModelRequest = {
    system: coder.prompt({ persona: "Lisa", factory: "Desk", worktree, test: "npm test" }),
    messages: [
      { role: "user", content: [{ type: "text", text: "Fix the tests\n\nThe tests of the shop fail. Find out why and mend it." }] },
    ],
    tools: toolSpecs([...tools, finishTool as Tool]),
    maxTokens: 8192,
  };
  const body = build[wire](request, { provider, wire, model, ...waysOf(provider) });
  expect(Buffer.byteLength(JSON.stringify(body))).toBeLessThan(most);
});
