import type { Panel } from "../panel.ts";
import { askPanel } from "./ask.tsx";
import { corporationPanel } from "./corporation.tsx";
import { costsPanel } from "./costs.tsx";
import { taskPanel } from "./task.tsx";
import { taskListPanel } from "./task-list.tsx";

/** Every page of the Corporation View, in the order of the navigation. */
export const panels: readonly Panel[] = [corporationPanel, taskListPanel, costsPanel, taskPanel, askPanel];
