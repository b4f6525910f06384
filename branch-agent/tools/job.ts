import * as z from "zod";
import type { Tool } from "#ports/tool.ts";
import type { Bench } from "./context.ts";

const input = z.strictObject({
  id: z.string().max(200),
  action: z.enum(["poll", "kill"]),
});

export function jobTool({ jobs }: Bench): Tool<z.infer<typeof input>> {
  return {
    name: "job",
    description: "A background job: poll waits for news and gives its output since the last poll; kill ends it. All end when you finish.",
    input,
    needs: "exec",
    repeatable: false,
    run: async ({ id, action }, { signal }) => (action === "poll" ? await jobs.poll(id, signal) : await jobs.kill(id)),
  };
}
