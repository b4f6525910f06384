/** The only way for a VP to say that it is done; whether it is, the receipt says. */
import * as z from "zod";
import type { Tool } from "#ports/tool.ts";

const input = z.strictObject({
  status: z.enum(["done", "failed"]).describe("failed: you could not do it"),
  summary: z.string().min(1).max(4000).describe("what you found and did, for the owner; short"),
});

export const finishTool: Tool<z.infer<typeof input>> = {
  name: "finish",
  description: "End the task. Call it when the work is done, or can't be done.",
  input,
  needs: null,
  repeatable: true,
  run: async ({ status, summary }) => ({ content: "ended", end: { status, summary } }),
};
