/** The append-only record of one agent run: what a resume starts from. */
import type { Block, ImageBlock } from "./llm.ts";

export type Entry =
  /** `control`: the steering of the owner's that it is. */
  | { type: "user"; text: string; control?: string }
  /** `used`: tokens of the whole request and of this reply, where the provider counted them. */
  | { type: "assistant"; content: Block[]; stop: string; used?: { input: number; output: number; model: string } }
  /** Written before a tool runs that must not run twice. */
  | { type: "intent"; toolUseId: string; name: string }
  | {
      type: "result";
      toolUseId: string;
      content: string;
      isError: boolean;
      images?: readonly ImageBlock[];
      /** The call was no legal one: nothing ran. */
      refused?: true;
      /** As the tool named what `content` holds. */
      shows?: string;
      end?: { status: "done" | "failed"; summary: string };
    }
  | Compaction;

/**
 * From here on the model is sent less of what stands before. Nothing is taken out of the record; the newest one alone counts. Entries are
 * counted from 0.
 */
export interface Compaction {
  type: "compaction";
  /** Of what stands before it only the task, what the owner said and the summary are sent. It is a reply, so no call is parted from its result; 0: nothing is left out. */
  from: number;
  /** Long outputs of tools before it are left out. */
  pruned: number;
  summary: string | null;
}

export interface Transcript {
  load(): Promise<Entry[]>;
  /** Durable when it resolves. `seq` counts from 0; writing the same seq twice keeps the first. */
  append(seq: number, entry: Entry): Promise<void>;
}
