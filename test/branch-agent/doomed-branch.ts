/** A branch that makes one call of its model and waits for the answer, until it is killed. Run by `killed-call.test.ts` as a process. */
import { metering, under } from "#factory/metering.ts";
import { openBranch } from "../../branch-agent/compose.ts";

const { branch } = await openBranch(process.env);
const who = { task: "t1-1-1", epoch: 1, factory: branch.self, persona: "Lisa", seat: "coder" };
const meter = metering({ ...branch, spending: branch.journal, leaseMs: 3_600_000 }, { ...who, bounds: () => [], spent: [] });
const { llm } = await branch.inferenceFor("coder", meter);
const messages = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hello." }] }];
await under(meter, llm).complete({ system: "", messages, tools: [], maxTokens: 500 });
