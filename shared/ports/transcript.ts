/** The append-only record of one agent run: what a resume starts from. */
import type { Block } from "./llm.ts";

export type Entry =
  /** `control`: the steering of the owner's that it is. */
  | { type: "user"; text: string; control?: string }
  | { type: "assistant"; content: Block[]; stop: string }
  /** Written before a tool runs that must not run twice. */
  | { type: "intent"; toolUseId: string; name: string }
  | {
      type: "result";
      toolUseId: string;
      content: string;
      isError: boolean;
      /** The call was no legal one: nothing ran. */
      refused?: true;
      /** As the tool named what `content` holds. */
      shows?: string;
      end?: { status: "done" | "failed"; summary: string };
    };

export interface Transcript {
  load(): Promise<Entry[]>;
  /** Durable when it resolves. `seq` counts from 0; writing the same seq twice keeps the first. */
  append(seq: number, entry: Entry): Promise<void>;
}
