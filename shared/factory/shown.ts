/** What a model is sent of a run: its entries as messages, the same at every step up to what is new. Only a compaction changes what was sent before. */
import * as z from "zod";
import type { Block, Message, ToolSpec } from "#ports/llm.ts";
import type { Tool } from "#ports/tool.ts";
import type { Compaction, Entry } from "#ports/transcript.ts";

export type ToolUse = Extract<Block, { type: "tool_use" }>;

/** Characters. An output that is no longer stays where others are left out. */
const shortOutput = 300;

/** Tool results of one step go into one user message, in the order of the calls. */
export function toMessages(entries: readonly Entry[], compaction = compactionIn(entries)): Message[] {
  const messages: Message[] = [];
  const say = (role: Message["role"], block: Block) => {
    const last = messages.at(-1);
    if (last?.role === role) last.content.push(block);
    else messages.push({ role, content: [block] });
  };
  const { from, pruned, summary } = compaction;
  for (const entry of entries.slice(0, from)) {
    if (entry.type === "user" && isKept(entry, entries)) say("user", { type: "text", text: entry.text });
  }
  if (summary !== null) say("user", { type: "text", text: `[What you did before, in short; the record itself is left out]\n${summary}` });
  for (const [i, entry] of entries.slice(from).entries()) {
    if (entry.type === "user") say("user", { type: "text", text: entry.text });
    if (entry.type === "assistant") {
      for (const block of entry.content) say("assistant", block);
    }
    if (entry.type === "result") {
      const { toolUseId: id, isError, images } = entry;
      if (from + i < pruned) say("user", { type: "tool_result", id, content: leftOut(entry), isError });
      else say("user", { type: "tool_result", id, content: entry.content, isError, ...(images && { images }) });
    }
  }
  return messages;
}

/** The newest; one that leaves nothing out where there was none. */
export function compactionIn(entries: readonly Entry[]): Compaction {
  const last = entries.findLast((entry) => entry.type === "compaction");
  return last?.type === "compaction" ? last : { type: "compaction", from: 0, pruned: 0, summary: null };
}

/** True while a result that `shows` this stands whole in what the model is sent. */
export function isShown(entries: readonly Entry[], what: string): boolean {
  const { from, pruned } = compactionIn(entries);
  return entries.some((entry, i) => entry.type === "result" && entry.shows === what && i >= from && i >= pruned);
}

/** The task and what the owner said are never left out. */
function isKept(entry: Extract<Entry, { type: "user" }>, entries: readonly Entry[]): boolean {
  return entry === entries[0] || entry.control !== undefined;
}

function leftOut({ content, images = [] }: Extract<Entry, { type: "result" }>): string {
  if (images.length > 0) return `${content}\n[The image is left out to make room. If you need it, call it again.]`;
  if (content.length <= shortOutput) return content;
  return `[${content.length} characters, left out to make room. If you need them, call it again.]`;
}

/** Sorted by name, so that a request begins like the one before. */
export function toolSpecs(tools: readonly Tool[]): ToolSpec[] {
  return tools
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((tool) => {
      const { $schema: _, ...inputSchema } = z.toJSONSchema(tool.input, { io: "input" });
      return { name: tool.name, description: tool.description, inputSchema };
    });
}

/** Some models give an id twice, or none: a result belongs to one call, so a known id is made one of its own. */
export function withOwnIds(content: readonly Block[], entries: readonly Entry[]): Block[] {
  const known = new Set(entries.flatMap((entry) => (entry.type === "assistant" ? toolUses(entry.content).map((use) => use.id) : [])));
  return content.map((block) => {
    if (block.type !== "tool_use") return block;
    let { id } = block;
    while (id === "" || known.has(id)) id = `${id}_${known.size}`;
    known.add(id);
    return { ...block, id };
  });
}

export function toolUses(content: readonly Block[]): ToolUse[] {
  return content.filter((block) => block.type === "tool_use");
}

export function textOf(content: readonly Block[]): string {
  return content
    .flatMap((block) => (block.type === "text" ? [block.text] : []))
    .join("\n")
    .trim();
}

/** One line for a timeline: what it calls, or how its text begins. */
export function describe(content: readonly Block[]): string {
  const uses = toolUses(content).map((use) => `${use.name} ${gist(use.input)}`.trim());
  return (uses.length > 0 ? uses.join("; ") : textOf(content)).slice(0, 300);
}

function gist(input: unknown) {
  if (typeof input !== "object" || input === null) return "";
  const first = Object.values(input).find((value) => typeof value === "string");
  return typeof first === "string" ? first.split("\n", 1)[0] : "";
}
