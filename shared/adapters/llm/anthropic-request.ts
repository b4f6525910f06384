/** Our request in the words of the Anthropic Messages API. */
import type Anthropic from "@anthropic-ai/sdk";
import type { Block, Message, ModelRequest } from "#ports/llm.ts";

type Param = Anthropic.ContentBlockParam;

const breakpoint = { cache_control: { type: "ephemeral" } } as const;

/**
 * Four cache breakpoints, all that the API allows: the system prompt, the last tool, and the last two user messages
 * (the second finds what the previous call wrote). `provider` decides which opaque blocks go along.
 */
export function toWire(request: ModelRequest, provider: string, model: string): Anthropic.MessageCreateParamsStreaming {
  const last = request.tools.length - 1;
  return {
    model,
    max_tokens: request.maxTokens,
    stream: true,
    ...(request.system && { system: [{ type: "text", text: request.system, ...breakpoint }] }),
    ...(last >= 0 && {
      tools: request.tools.map((tool, i) => ({
        name: tool.name,
        description: tool.description,
        input_schema: tool.inputSchema as Anthropic.Tool.InputSchema,
        ...(i === last && breakpoint),
      })),
    }),
    messages: markLastTwo(join(request.messages, provider)),
  };
}

interface Turn {
  role: Message["role"];
  content: Param[];
}

/** Neighbours of one role become one message: the results of one step must stand together, before any text. */
function join(messages: readonly Message[], provider: string): Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    const content = message.content.flatMap((block) => toParam(block, provider));
    const before = turns.at(-1);
    if (before?.role === message.role) before.content.push(...content);
    else turns.push({ role: message.role, content });
  }
  for (const turn of turns) {
    // An empty message is refused, and a reply that was cut at its first token is one.
    if (turn.content.length === 0) turn.content.push({ type: "text", text: "(nothing)" });
    if (turn.role === "user") turn.content.sort((a, b) => rank(a) - rank(b));
  }
  return turns;
}

function rank(param: Param) {
  return param.type === "tool_result" ? 0 : 1;
}

function toParam(block: Block, provider: string): Param[] {
  switch (block.type) {
    case "text":
      return block.text.trim() === "" ? [] : [{ type: "text", text: block.text }];
    case "tool_use":
      return [{ type: "tool_use", id: block.id, name: block.name, input: block.input }];
    case "tool_result": {
      const content = block.content || "(empty)";
      return [{ type: "tool_result", tool_use_id: block.id, content, ...(block.isError && { is_error: true }) }];
    }
    case "opaque":
      return block.provider === provider ? [block.raw as Param] : [];
  }
}

function markLastTwo(turns: Turn[]): Turn[] {
  const users = turns.filter((turn) => turn.role === "user").slice(-2);
  for (const turn of users) {
    const block = turn.content.at(-1);
    if (block) turn.content[turn.content.length - 1] = { ...block, ...breakpoint } as Param;
  }
  return turns;
}
