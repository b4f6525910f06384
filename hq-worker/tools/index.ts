/** Simone's tools. They propose; the verbs behind them decide. */
import type { Headquarters } from "#factory/headquarters.ts";
import type { Inbound } from "#ports/chat.ts";
import type { Update } from "#ports/store.ts";
import type { Tool } from "#ports/tool.ts";
import type { Digest } from "../context.ts";
import { answerTool } from "./answer.ts";
import { cancelTool } from "./cancel.ts";
import { costTool } from "./cost.ts";
import { delegateTool } from "./delegate.ts";
import { fleetTool } from "./fleet.ts";
import { followUpTool } from "./follow-up.ts";
import { pauseTool, resumeTool } from "./pause.ts";
import { questionsTool } from "./questions.ts";
import { steerTool } from "./steer.ts";
import { taskTool } from "./task.ts";
import { viewTool } from "./view.ts";

export type TextInbound = Extract<Inbound, { kind: "text" }>;

export function frontDeskTools(hq: Headquarters, digest: Digest, update: Update, inbound: TextInbound): Tool[] {
  return [
    answerTool(hq, inbound),
    cancelTool(hq),
    costTool(hq),
    delegateTool(hq, update, inbound),
    fleetTool(hq),
    followUpTool(hq),
    pauseTool(hq),
    questionsTool(hq, inbound),
    resumeTool(hq),
    steerTool(hq),
    taskTool(hq),
    viewTool(hq, digest, update),
  ] as Tool[];
}
