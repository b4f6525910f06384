/** A tool as the agent loop sees it. */
import type * as z from "zod";
import type { Action } from "#core/ops-token.ts";
import type { ImageBlock } from "./llm.ts";

export interface ToolResult {
  content: string;
  isError?: boolean;
  /** Shown to the model beside `content`. */
  images?: readonly ImageBlock[];
  /**
   * Names what `content` holds (a file, its digest, which lines): as long as the model has it before its eyes, `ToolCall.stillShown` of the
   * same name is true, and a word may stand for it.
   */
  shows?: string;
  /** Present: the loop ends with this. Only a `finish` tool sets it. */
  end?: { status: "done" | "failed"; summary: string };
}

export interface ToolCall {
  /** Unique and stable over a resume: the idempotency key of whatever the tool does. */
  key: string;
  signal: AbortSignal;
  /**
   * True while a result of this run that `shows` this stands whole in what the model is sent: over a resume too, and no longer once a
   * compaction took it out.
   */
  stillShown(what: string): boolean;
}

export interface Tool<Input = unknown> {
  name: string;
  description: string;
  /** Strict: validated before the tool runs. */
  input: z.ZodType<Input>;
  /** The action that the Ops Token must grant; null for tools that touch nothing of the factory's. */
  needs: Action | null;
  /** True: safe to run again under the same key after a crash. Otherwise a call that was cut off gets a synthetic error. */
  repeatable: boolean;
  /**
   * In place of that error: what became of a call that was cut off, found out by looking. It changes nothing, and may be asked again.
   */
  afterRestart?(input: Input, call: ToolCall): Promise<ToolResult>;
  /** Expected failures are results with `isError`; a throw is a bug or an outage and is told to the model as an error too. */
  run(input: Input, call: ToolCall): Promise<ToolResult>;
}
